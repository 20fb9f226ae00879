"""Decompression that never produces more than asked for: a bomb is stopped while it is streaming in."""

import zlib

from crawling.errors import TooLarge
from jobs.errors import QuarryError

ENCODINGS = ("gzip", "x-gzip", "deflate")
_PIECE_BYTES = 256 * 1024
MAX_GZIP_MEMBERS = 1_000  # each member of a gzip stream costs a fresh decompressor


class InflateError(QuarryError):
    """The compressed data are damaged or incomplete"""

    code = "damaged"


class Inflater:
    """Decompresses one stream as it arrives; `size` counts the bytes produced.

    encoding: one of ENCODINGS; deflate is taken with or without its zlib header, as browsers do.
    max_bytes: the most that may come out of it.
    """

    def __init__(self, encoding: str, *, max_bytes: int) -> None:
        if encoding not in ENCODINGS:
            raise ValueError(f"unknown content encoding {encoding!r}")
        self._is_gzip = encoding != "deflate"
        self._max_bytes = max_bytes
        self._members = 0
        self._stream: zlib._Decompress | None = None
        self.size = 0

    def feed(self, data: bytes) -> bytes:
        """Return what `data` decompresses to. Raises: TooLarge, InflateError (damaged)."""
        out = bytearray()
        try:
            while data:
                if self._stream is None or self._stream.eof:
                    if not self._has_next_member(data):
                        break  # padding or garbage after the last member is ignored, as gzip and browsers do
                    self._stream = self._fresh(data)
                out += self._stream.decompress(data, _PIECE_BYTES)
                data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
                if self.size + len(out) > self._max_bytes:
                    raise TooLarge(max_bytes=self._max_bytes)
        except zlib.error as error:
            raise InflateError(f"damaged compressed data: {error}") from error
        self.size += len(out)
        return bytes(out)

    def close(self) -> None:
        """Check that the stream came to its end. Raises: InflateError (incomplete)."""
        if self._stream is not None and not self._stream.eof:
            raise InflateError("the compressed data end too early")

    def _has_next_member(self, data: bytes) -> bool:
        if self._stream is None:
            return True
        return self._is_gzip and data[:1] == b"\x1f"

    def _fresh(self, data: bytes) -> "zlib._Decompress":
        self._members += 1
        if self._members > MAX_GZIP_MEMBERS:
            raise InflateError(f"more than {MAX_GZIP_MEMBERS:,} gzip members")
        if self._is_gzip:
            return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        # RFC 1950: the low four bits of a zlib header are 8; bare deflate data do not start so.
        return zlib.decompressobj(wbits=zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
