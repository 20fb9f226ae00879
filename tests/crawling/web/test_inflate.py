"""Decompression as a reply streams in."""

import gzip

import pytest

from crawling.errors import TooLarge
from crawling.web.inflate import MAX_GZIP_MEMBERS, InflateError, Inflater

MEMBER = gzip.compress(b"a")


def inflated(data: bytes, *, max_bytes: int = 100_000) -> bytes:
    """Return what `data` decompresses to."""
    inflater = Inflater("gzip", max_bytes=max_bytes)
    out = inflater.feed(data)
    inflater.close()
    return out


def test_gzip_members_are_joined_up_to_a_limit() -> None:
    """Each member of a stream costs a fresh decompressor; twenty bytes buy one."""
    assert inflated(MEMBER * MAX_GZIP_MEMBERS) == b"a" * MAX_GZIP_MEMBERS
    with pytest.raises(InflateError, match="more than 1,000 gzip members"):
        inflated(MEMBER * (MAX_GZIP_MEMBERS + 1))


def test_one_byte_beyond_the_limit_is_too_large() -> None:
    data = gzip.compress(b"a" * 1_000)
    assert len(inflated(data, max_bytes=1_000)) == 1_000
    with pytest.raises(TooLarge):
        inflated(data, max_bytes=999)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="br"):
        Inflater("br", max_bytes=1)
