"""The loopback server and the independent count agree about a folder with every kind of link."""

import http.client
from urllib.parse import urlsplit

import pytest

from config.benches.reachable import reach
from config.benches.static_site import CACHED_FILE_BYTES, MAX_HEAD_BYTES, serve_folder

PAGES = {
    "index.html": '<a href="a.html#top">a</a> <a href="./a.html">again</a> <a href="sub">folder</a>'
    '<a href="missing.html">gone</a> <a href="https://example.org/x#y">out</a> <a href="mailto:a@b.example">m</a>'
    '<a href="picture.png">p</a> <a>nothing</a> <link rel="next" href="unlinked.html"> <a href="#here">here</a>',
    "a.html": '<a href="/index.html">home</a> <a href="b%20c.html">space</a> <a href="a.html?x=1">query</a>',
    "b c.html": '<base href="/sub/"><a href="deep.html">deep</a> <a href="http://[broken">bad</a>',
    "sub/index.html": '<a href="../a.html">up</a> <a href="../../../etc/passwd">far up</a>',
    "sub/deep.html": "<p>deep</p>",
    "unlinked.html": "<p>nobody comes here</p>",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in PAGES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"<!DOCTYPE html><title>{name}</title>{text}", encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG" + b"\0" * CACHED_FILE_BYTES)
    return tmp_path


def ask(connection, path, method="GET", headers=None):
    connection.putrequest(method, path)
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    return reply.status, reply.headers, reply.read()


def test_the_count_follows_links_and_sorts_their_targets(folder):
    found = reach(folder)
    assert found.pages == {
        "/index.html", "/a.html", "/a.html?x=1", "/b%20c.html", "/sub/", "/sub/deep.html",
    }  # fmt: skip
    assert found.files == {"/picture.png"}
    assert found.redirects == {"/sub"}
    assert found.broken == {"/missing.html": "/index.html", "/etc/passwd": "/sub/"}
    assert found.outside == {"https://example.org/x", "mailto:a@b.example"}
    assert found.copies == {"/a.html?x=1": "/a.html"}
    assert (found.depth["/index.html"], found.depth["/sub/"], found.depth["/sub/deep.html"]) == (0, 2, 3)


def test_the_count_stays_below_a_prefix(folder):
    found = reach(folder, "sub/index.html", prefix="/sub/")
    assert found.pages == {"/sub/index.html"}
    assert {url.rpartition("/")[2] for url in found.outside} == {"a.html", "passwd"}


@pytest.mark.parametrize("in_child", [False, True])
def test_the_server_answers_as_the_count_says(folder, in_child):
    found = reach(folder)
    with serve_folder(folder, in_child=in_child) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        for path in found.pages:
            status, headers, body = ask(connection, path)
            assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            assert body.startswith(b"<!DOCTYPE html>")
        assert {ask(connection, path)[0] for path in found.broken} == {404}
        for path in found.redirects:
            status, headers, _ = ask(connection, path)
            assert (status, headers["Location"]) == (301, path + "/")
        status, headers, body = ask(connection, "/picture.png")
        assert (status, headers["Content-Type"]) == (200, "image/png")
        assert body == (folder / "picture.png").read_bytes()
        assert ask(connection, "/a.html", headers={"If-None-Match": headers["ETag"]})[0] == 200
        tag = ask(connection, "/a.html")[1]["ETag"]
        assert ask(connection, "/a.html", headers={"If-None-Match": tag})[::2] == (304, b"")
        assert ask(connection, "/a.html", method="HEAD")[::2] == (200, b"")
        connection.close()


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/sub/../../secret.txt", "//../secret.txt"])
def test_nothing_above_the_folder_is_served(folder, path):
    (folder / "secret.txt").write_text("outside")
    with serve_folder(folder / "sub") as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        assert ask(connection, path)[0] == 404
        connection.close()


def test_a_request_line_that_is_too_long_is_refused(folder):
    with serve_folder(folder) as url:
        for length, status in ((MAX_HEAD_BYTES // 2, 200), (MAX_HEAD_BYTES, 400)):
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
            connection.request("GET", "/?" + "a" * length)
            assert connection.getresponse().status == status
            connection.close()


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError), serve_folder(tmp_path / "none"):
        pass
