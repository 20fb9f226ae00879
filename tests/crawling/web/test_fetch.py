"""Fetching over real HTTP from a server that misbehaves."""

import asyncio
import gzip
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network

import pytest

from crawling import errors
from crawling.web.fetch import fetch, open_session
from crawling.web.fetch_limits import Limits
from crawling.web.guard import AddressGuard
from crawling.web.statuses import retry_after_seconds
from jobs.states import Reason
from tests.helpers.web_server import Reply, bomb, conditional, redirect, serve, throttled, zipped

GUARD = AddressGuard((ip_network("127.0.0.0/8"), ip_network("::1/128")))
QUICK = Limits(max_bytes=100_000, total_seconds=1.0, connect_seconds=1.0, idle_seconds=0.4)


def get(route, *, limits=QUICK, **options):
    """Fetch the one page of a server of our own."""

    async def go(url):
        async with open_session(GUARD, user_agent="Quarry/test", limits=limits) as session:
            return await fetch(session, url, limits=limits, **options)

    with serve({"/page": route}) as server:
        return asyncio.run(go(server.url("/page")))


def failure(route, expected, **options):
    with pytest.raises(errors.FetchError) as caught:
        get(route, **options)
    assert type(caught.value) is expected
    assert caught.value.reason in set(Reason)
    assert caught.value.detail.endswith(".")
    return caught.value


def test_a_page_comes_whole_with_its_particulars():
    reply = Reply("<p>é</p>", headers={"ETag": '"1"', "X-A": "1", "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"})
    fetched = get(reply)
    assert (fetched.status, fetched.body.decode()) == (200, "<p>é</p>")
    assert (fetched.content_type, fetched.charset) == ("text/html", "utf-8")
    assert (fetched.etag, fetched.last_modified) == ('"1"', "Mon, 01 Jan 2024 00:00:00 GMT")
    assert fetched.headers["x-a"] == "1"
    assert fetched.remote_address == "127.0.0.1"
    assert fetched.seconds > 0
    assert fetched.location is None and not fetched.not_modified


def test_what_is_sent():
    with serve({"/": "x"}) as server:

        async def go():
            async with open_session(GUARD, user_agent="Quarry/test") as session:
                await fetch(session, server.url("/?a=%2F&b=%C3%A4"))

        asyncio.run(go())
        (request,) = server.requests
    assert request.target == "/?a=%2F&b=%C3%A4", "the URL goes out as it was stored"
    assert request.headers["user-agent"] == "Quarry/test"
    assert request.headers["accept-encoding"] == "gzip, deflate"
    assert "cookie" not in request.headers


def test_header_values_are_fit_for_any_store():
    fetched = get(Reply("x", headers={"X-Odd": b"caf\xe9", "ETag": "x" * 400}))
    assert fetched.headers["x-odd"] == "caf\ufffd"
    assert fetched.etag is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_returned(status):
    fetched = get(redirect("../other?x=1", status=status))
    assert fetched.location.endswith("/other?x=1") and fetched.location.startswith("http://127.0.0.1:")
    assert (fetched.status, fetched.body) == (status, b"")


def test_unusable_redirects():
    failure(redirect("http://[", status=302), errors.BadReply)
    failure(Reply(status=302), errors.BadReply)
    failure(Reply(status=304), errors.BadReply)


def test_conditional_get():
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    route = conditional("<p>x</p>", etag='"v1"', last_modified=date)
    assert get(route).body == b"<p>x</p>"
    assert get(route, etag='"v0"').body == b"<p>x</p>"
    for validators in ({"etag": '"v1"'}, {"last_modified": date}):
        fetched = get(route, **validators)
        assert (fetched.status, fetched.not_modified, fetched.body) == (304, True, b"")


@pytest.mark.parametrize(
    ("status", "expected", "reason", "is_temporary"),
    [
        (404, errors.Gone, "gone", False),
        (410, errors.Gone, "gone", False),
        (400, errors.ClientStatus, "http_4xx", False),
        (403, errors.ClientStatus, "http_4xx", False),
        (429, errors.Throttled, "http_4xx", True),
        (500, errors.ServerStatus, "http_5xx", True),
        (503, errors.Throttled, "http_5xx", True),
        (206, errors.BadReply, "connection", False),
        (999, errors.BadReply, "connection", False),
    ],
)
def test_statuses(status, expected, reason, is_temporary):
    error = failure(Reply("sorry", status=status), expected)
    assert (error.reason, error.is_temporary) == (reason, is_temporary)


def test_retry_after():
    assert failure(throttled("7"), errors.Throttled).retry_after_seconds == 7
    assert failure(throttled(None), errors.Throttled).retry_after_seconds is None
    assert failure(throttled("86400", status=503), errors.Throttled).retry_after_seconds == 3600
    now = datetime(2024, 1, 1, tzinfo=UTC)
    assert retry_after_seconds(format_datetime(now + timedelta(seconds=90), usegmt=True), now=now) == 90
    assert retry_after_seconds(format_datetime(now - timedelta(days=9), usegmt=True), now=now) == 0
    for senseless in ("soon", "-5", "", "²", "Mon, 99 Foo 2024"):
        assert retry_after_seconds(senseless, now=now) is None


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (Reply("x", delay_seconds=5), errors.TimedOut),
        (Reply("x" * 100, drip=(1, 0.1)), errors.TimedOut),
        (Reply("x" * 100, drip=(50, 5)), errors.TimedOut),
        (Reply("x" * 100, break_after=50), errors.ConnectionFailed),
        (Reply("x" * 100, content_length=200), errors.ConnectionFailed),
        (Reply(hang_up=True), errors.ConnectionFailed),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), errors.ConnectionFailed),
        (Reply(raw=b"SSH-2.0-OpenSSH\r\n\r\n"), errors.BadReply),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), errors.BadReply),
        (Reply("x" * 100_001), errors.TooLarge),
        (Reply("x" * 100_001, content_length=-1), errors.TooLarge),
        (Reply("x", content_type="image/png"), errors.WrongContentType),
        (Reply("x", headers={"Content-Encoding": "br"}), errors.WrongContentType),
        (zipped("x" * 5_000, break_after=30), errors.ConnectionFailed),
        (Reply(gzip.compress(b"x" * 5_000)[:-12], headers={"Content-Encoding": "gzip"}), errors.ConnectionFailed),
        (Reply(b"not gzip", headers={"Content-Encoding": "gzip"}), errors.ConnectionFailed),
    ],
)
def test_failures_have_a_type(route, expected):
    failure(route, expected)


def test_each_kind_of_timeout_names_its_limit():
    assert "sent nothing for 0.4 s" in failure(Reply("x", delay_seconds=5), errors.TimedOut).detail
    assert "within 1 s" in failure(Reply("x" * 100, drip=(1, 0.1)), errors.TimedOut).detail


def test_a_name_without_address_and_a_server_without_tls():
    async def go(url):
        async with open_session(GUARD, user_agent="t", limits=QUICK) as session:
            await fetch(session, url, limits=Limits(total_seconds=20))

    async def go_to_another_protocol():
        """It speaks first: the random bytes of a TLS greeting hold no line that a web server would answer for sure."""

        async def greet(reader, writer):
            writer.write(b"220 mail.test ready\r\n")
            await reader.read()
            writer.close()

        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            await go(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    with pytest.raises(errors.DnsFailed):
        asyncio.run(go("http://no-such-host.invalid/"))
    with pytest.raises((errors.TlsFailed, errors.ConnectionFailed)):
        asyncio.run(go_to_another_protocol())
    for url in ("http://127.0.0.1/a b", "http://127.0.0.1/\r\nX: 1", "http://127.0.0.1/ä"):
        with pytest.raises(errors.BadUrl):
            asyncio.run(go(url))


def test_content_types_can_be_chosen():
    reply = Reply("<urlset/>", content_type="Application/XML; charset=x")
    failure(reply, errors.WrongContentType)
    assert get(reply, accept_types={"application/xml"}).content_type == "application/xml"
    assert get(reply, accept_types=None).body == b"<urlset/>"
    assert get(Reply("x", content_type=None)).content_type == ""


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (gzip.compress(b"abc" * 1000), "gzip"),
        (gzip.compress(b"abc" * 500) + gzip.compress(b"abc" * 500) + b"\0\0", "X-GZIP"),
        (zlib.compress(b"abc" * 1000), "deflate"),
        (zlib.compressobj(wbits=-15).compress(b"") + zlib.compress(b"abc" * 1000)[2:-4], "deflate"),
        (b"abc" * 1000, "identity"),
    ],
    ids=["gzip", "gzip-in-parts", "zlib", "raw-deflate", "identity"],  # the bytes of gzip hold the time
)
def test_content_encodings(data, encoding):
    reply = Reply(data, headers={"Content-Encoding": encoding}, drip=(7, 0))
    assert get(reply).body == b"abc" * 1000


def test_a_bomb_is_stopped_while_streaming():
    """A reply of ten kilobytes that unpacks to ten megabytes: refused long before it is unpacked."""
    route = bomb(10 * 1024 * 1024)
    assert len(route.body) < 20_000
    tracemalloc.start()
    error = failure(route, errors.TooLarge)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "100,000 bytes" in error.detail
    assert peak < 4 * 1024 * 1024


def test_cancelling_closes_the_connection_at_once():
    async def go(url, pieces):
        async with open_session(GUARD, user_agent="t") as session:
            task = asyncio.create_task(fetch(session, url))
            await asyncio.to_thread(server.wait_until, lambda: server.requests and server.pieces_sent >= pieces)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(server.wait_until, lambda: server.aborted)

    for route, pieces in ((Reply("x", delay_seconds=30), 0), (Reply("x" * 1000, drip=(1, 0.02)), 3)):
        with serve({"/slow": route}) as server:
            asyncio.run(go(server.url("/slow"), pieces))
            assert server.aborted == ["/slow"], "the reply went on to its end"


def test_one_connection_serves_pages_redirects_and_errors():
    async def go(server):
        async with open_session(GUARD, user_agent="t", limits=QUICK) as session:
            assert (await fetch(session, server.url("/a"))).body == b"a"
            assert (await fetch(session, server.url("/r"))).location == server.url("/a")
            with pytest.raises(errors.Gone):
                await fetch(session, server.url("/none"))
            assert (await fetch(session, server.url("/a"))).body == b"a"

    with serve({"/a": "a", "/r": redirect("/a")}) as server:
        asyncio.run(go(server))
        assert server.paths == ["/a", "/r", "/none", "/a"]
        assert server.connections == 1
