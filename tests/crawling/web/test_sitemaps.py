"""Sitemap files, whole and broken."""

import gzip
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawling.web.sitemaps import MAX_SITEMAP_BYTES, MAX_SITEMAP_URLS, Sitemap, parse_sitemap

BASE = "https://example.com/sitemap.xml"
URLSET = b"""<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
<!-- hello --><url><loc> https://example.com/a?x=1&amp;y=2
</loc><lastmod>2024-01-01</lastmod><image:image><image:loc>https://example.com/i.png</image:loc></image:image></url>
<url><loc><![CDATA[https://example.com/b]]></loc></url><url><loc>/c</loc></url><url><loc>https://example.com/b</loc></url>
</urlset>"""
PAGES = ("https://example.com/a?x=1&y=2", "https://example.com/b", "https://example.com/c")


def test_urlset_index_and_gz():
    assert parse_sitemap(URLSET, BASE) == Sitemap(urls=PAGES)
    assert parse_sitemap(gzip.compress(URLSET), BASE + ".gz") == Sitemap(urls=PAGES)
    index = b"<sitemapindex><sitemap><loc>https://example.com/1.xml.gz</loc></sitemap></sitemapindex>"
    assert parse_sitemap(index, BASE) == Sitemap(sitemaps=("https://example.com/1.xml.gz",))


def test_text_and_feeds():
    assert parse_sitemap(b"\xef\xbb\xbfhttps://e.com/a\r\n\r\nhttps://e.com/b\n", BASE).urls == (
        "https://e.com/a",
        "https://e.com/b",
    )
    rss = b"<rss><channel><link>https://e.com/</link><item><link>https://e.com/a</link></item></channel></rss>"
    assert parse_sitemap(rss, BASE) == Sitemap(urls=("https://e.com/a",))
    atom = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><link href="/"/><entry><link href="/a"/>'
        b'<link rel="edit" href="/edit"/></entry></feed>'
    )
    assert parse_sitemap(atom, BASE) == Sitemap(urls=("https://example.com/a",))


@pytest.mark.parametrize(
    "body",
    [
        URLSET[:-60],
        URLSET.replace(b"</lastmod>", b""),
        URLSET.replace(b"<loc>/c</loc>", b"<loc>mailto:a@b.c</loc>"),
        URLSET.replace(b"<loc>/c</loc>", b"<loc>http://[</loc>"),
        gzip.compress(URLSET)[:-12],
    ],
)
def test_what_is_readable_of_a_broken_file_is_kept(body):
    sitemap = parse_sitemap(body, BASE)
    assert sitemap.is_broken
    assert sitemap.urls[:1] == PAGES[:1]


def test_a_page_instead_of_a_sitemap_yields_nothing():
    assert parse_sitemap(b"<!doctype html><p>not found<br></p>", BASE).urls == ()
    assert parse_sitemap(b"not found", BASE) == Sitemap(is_broken=True)


def test_entities_are_not_expanded(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("https://example.com/secret")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    body = (
        f'<!DOCTYPE urlset [<!ENTITY l0 "https://e.com/ha">{laughs}<!ENTITY file SYSTEM "file://{secret}">]>'
        "<urlset><url><loc>&l11;</loc></url><url><loc>&file;</loc></url><url><loc>https://e.com/ok</loc></url></urlset>"
    )
    tracemalloc.start()
    sitemap = parse_sitemap(body.encode(), BASE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not any("secret" in url or "ha" in url for url in sitemap.urls)
    assert peak < 20_000_000


def test_bounds_on_number_and_size():
    many = b"<urlset>" + b"".join(b"<url><loc>/%d</loc></url>" % n for n in range(MAX_SITEMAP_URLS + 5)) + b"</urlset>"
    sitemap = parse_sitemap(many, BASE)
    assert len(sitemap.urls) == MAX_SITEMAP_URLS and sitemap.is_broken
    unpacked = b"https://e.com/a\n" + b" " * (MAX_SITEMAP_BYTES + 1)
    sitemap = parse_sitemap(gzip.compress(unpacked, 1), BASE)
    assert sitemap.is_broken and sitemap.urls == ("https://e.com/a",)
    filler = b" " * (MAX_SITEMAP_BYTES - len(b"https://e.com/a\n"))
    within = b"https://e.com/a\n" + filler
    assert parse_sitemap(within, BASE) == Sitemap(urls=("https://e.com/a",))
    assert parse_sitemap(within + b"\nhttps://e.com/b", BASE) == Sitemap(urls=("https://e.com/a",), is_broken=True)


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(),
        st.text(alphabet="<>/urlsetocimaph:. &;!?[]CDATA\x00").map(str.encode),
        st.binary().map(gzip.compress),
    )
)
def test_parsing_never_raises(body):
    sitemap = parse_sitemap(body, BASE)
    assert all(url.startswith("http") for url in sitemap.urls + sitemap.sitemaps)
