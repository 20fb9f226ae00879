"""What a page links to."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawling.pages.links import RobotsMeta, page_links, robots_meta

BASE = "https://example.com/docs/guide/page.html"


def hrefs(markup, base=BASE):
    return page_links(markup, base).hrefs


def test_links_come_absolute_in_page_order_and_once():
    markup = """<a href="b.html">1</a> <a href="/a">2</a> <map><area href="../c?x=1#y"></map> <a href="b.html#top">3</a>
        <iframe src="//cdn.example.org/f"></iframe> <a href="HTTPS://Other.org/">4</a> <a>5</a>"""
    assert (
        hrefs(markup)
        == (
            "https://example.com/docs/guide/b.html",
            "https://example.com/a",
            "https://example.com/docs/c?x=1",
            "https://cdn.example.org/f",
            "https://Other.org/",
        )
        or hrefs(markup)[-1].lower() == "https://other.org/"
    )


@pytest.mark.parametrize(
    "href",
    ["mailto:a@b.c", "javascript:void(0)", "tel:+1", "data:text/html,x", "#top", "", "  ", "http://[", "about:blank"],
)
def test_what_is_no_page_is_left_out(href):
    assert hrefs(f'<a href="{href}">x</a>') == ()


def test_white_space_and_line_breaks_in_hrefs_are_ignored():
    assert hrefs('<a href=" /a\n/b\t ">x</a>') == ("https://example.com/a/b",)


def test_base_href_is_honoured_but_not_trusted():
    assert hrefs('<base href="/other/"><a href="x">x</a>') == ("https://example.com/other/x",)
    assert hrefs('<base href="data:text/html,x"><a href="x">x</a>') == ("https://example.com/docs/guide/x",)
    assert hrefs('<base href="http://["><a href="x">x</a>') == ("https://example.com/docs/guide/x",)


def test_link_elements_and_refresh():
    links = page_links(
        """<link rel="canonical" href="/c"><link rel="next" href="?page=2"><link rel=stylesheet href=x.css>
        <link rel="previous" href="?page=0"><meta http-equiv="Refresh" content="5; URL='/moved'">""",
        BASE,
    )
    assert links.canonical == "https://example.com/c"
    assert (links.next, links.prev) == (f"{BASE}?page=2", f"{BASE}?page=0")
    assert links.refresh == "https://example.com/moved"
    assert links.hrefs == (links.next, links.prev, links.refresh)


@pytest.mark.parametrize(
    ("markup", "header", "expected"),
    [
        ("<meta name=robots content='noindex, follow'>", None, RobotsMeta(True, False)),
        ("<meta name=ROBOTS content=NONE>", None, RobotsMeta(True, True)),
        ("<meta name=quarry content=nofollow>", None, RobotsMeta(False, True)),
        ("<meta name=googlebot content=noindex>", None, RobotsMeta()),
        ("", "noindex", RobotsMeta(True, False)),
        ("", "googlebot: noindex, nofollow", RobotsMeta()),
        ("", "googlebot: noindex, quarry: nofollow", RobotsMeta(False, True)),
        ("", "max-snippet: 5, noindex", RobotsMeta(True, False)),
    ],
)
def test_robots_meta(markup, header, expected):
    assert page_links(markup, BASE, robots_header=header).robots_meta == expected


@settings(deadline=None)
@given(st.from_regex(r"[A-Za-z0-9_.~/-]{1,24}", fullmatch=True))
def test_the_shortcut_agrees_with_urljoin(href):
    joined = urljoin(BASE, href)
    assert hrefs(f'<a href="{href}">x</a>') == ((joined,) if urlsplit(joined).netloc else ())


@settings(deadline=None)
@given(st.one_of(st.binary(), st.text(), st.text(alphabet="<>/=\"' ahreflinkmtbs:.#")), st.text(max_size=20))
def test_page_links_never_raises(markup, base):
    links = page_links(markup, base)
    assert all(href.startswith(("http:", "https:")) for href in links.hrefs)


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=4))
def test_robots_meta_never_raises(values):
    assert isinstance(robots_meta(values), RobotsMeta)
