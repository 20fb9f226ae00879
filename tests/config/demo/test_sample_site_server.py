"""The sample site's server: caching headers, keep-alive, closed doors, the request log, a clean end."""

import http.client
import time
from urllib.parse import urlsplit

import pytest

from config.demo.sample_site import SampleSite
from config.demo.sample_site.manifest import LARGE_PATH, SLOW_PATH


@pytest.fixture(scope="module")
def site():
    with SampleSite() as running:
        yield running


class Answer:
    """One exchange on a connection of its own, completely read."""

    def __init__(self, url, method, headers):
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        connection.request(method, url.removeprefix(f"http://{parts.netloc}"), headers=headers)
        reply = connection.getresponse()
        self.status, self.headers, self.body = reply.status, reply.headers, reply.read()
        connection.close()


def get(url, *, method="GET", **headers):
    return Answer(url, method, {name.replace("_", "-"): value for name, value in headers.items()})


def test_conditional_requests_are_answered_with_304(site):
    for path in ("/", "/products/aq-20", "/robots.txt", LARGE_PATH):
        first = get(site.url + path)
        tag, changed = first.headers["ETag"], first.headers["Last-Modified"]
        for headers in (
            {"If_None_Match": tag},
            {"If_None_Match": f'"other", W/{tag}'},
            {"If_None_Match": "*"},
            {"If_Modified_Since": changed},
        ):
            again = get(site.url + path, **headers)
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        for headers in (
            {"If_None_Match": '"other"', "If_Modified_Since": changed},
            {"If_Modified_Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
            {"If_Modified_Since": "yesterday"},
        ):
            again = get(site.url + path, **headers)
            assert (again.status, again.body) == (200, first.body)


def test_head_sends_the_length_without_the_body(site):
    full, head = get(f"{site.url}/about"), get(f"{site.url}/about", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(full.body))
    assert head.headers["ETag"] == full.headers["ETag"]


def test_one_connection_serves_many_requests(site):
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=10)
    connection.connect()
    first = connection.sock
    for path, status in (("/", 200), ("/nowhere", 404), ("/shop/aq-20", 301), ("/about?x=1", 200)):
        connection.request("GET", path)
        reply = connection.getresponse()
        assert (reply.status, len(reply.read())) == (status, int(reply.headers["Content-Length"]))
    assert connection.sock is first
    connection.close()


@pytest.mark.parametrize(
    "path",
    ["/../server.py", "/%2e%2e/server.py", "/_layout.en.html", "/index.html", "/products/../../server.py",
     "/etc/passwd", "//etc/passwd", "/pages/index.html", "/assets/", "/about/", "/%00", "/..%5cserver.py"],
)  # fmt: skip
def test_nothing_but_the_listed_paths_is_served(site, path):
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=10)
    connection.putrequest("GET", path, skip_host=False)
    connection.endheaders()
    reply = connection.getresponse()
    assert (reply.status, b"Page not found" in reply.read()) == (404, True)
    connection.close()


def test_requests_are_remembered_with_their_times():
    with SampleSite(slow_seconds=0.2) as site:
        assert site.requests == ()
        before = time.monotonic()
        get(f"{site.url}/about?from=test", User_Agent="Quarry/test")
        get(f"{site.url}{SLOW_PATH}", method="HEAD")
        after = time.monotonic()
        first, second = site.requests
    assert (first.method, first.target, first.status, first.user_agent) == (
        "GET", "/about?from=test", 200, "Quarry/test",
    )  # fmt: skip
    assert (second.method, second.status) == ("HEAD", 200)
    assert before <= first.started <= first.answered <= second.started <= second.answered <= after
    assert second.answered - second.started >= 0.2


def test_close_cuts_waiting_and_idle_connections_and_frees_the_port():
    site = SampleSite(slow_seconds=3600).start()  # what waits ends only because it is cut
    address = urlsplit(site.url).netloc
    idle, waiting = (http.client.HTTPConnection(address, timeout=10) for _ in range(2))
    idle.request("GET", "/about")
    idle.getresponse().read()
    waiting.request("GET", SLOW_PATH)
    site.close()
    site.close()
    for connection in (idle, waiting):
        connection.sock.settimeout(5)
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            if connection is idle:
                connection.request("GET", "/about")
            connection.getresponse().read()
            connection.request("GET", "/about")  # an answer that was still under way; now it must be over
            connection.getresponse()
        connection.close()
    with SampleSite(port=int(address.rpartition(":")[2])) as again:
        assert urlsplit(again.url).netloc == address
        assert get(again.url + "/").status == 200


def test_other_methods_are_refused(site):
    assert get(f"{site.url}/contact", method="DELETE").status == 501
