"""From bytes to a page."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawling.errors import Unreadable, WrongContentType
from crawling.pages import content
from crawling.pages.content import content_hash, read_page
from crawling.pages.language import page_language
from crawling.pages.limits import HARMLESS_TAGS, MAX_NESTING, is_too_nested
from crawling.pages.metadata import MAX_AUTHOR_CHARACTERS, MAX_TITLE_CHARACTERS, iso_date
from crawling.web.fetch import Fetched

URL = "https://example.com/docs/page.html"

PAGE = """<!doctype html><html lang="en-GB"><head><title> A
 title </title><meta name="author" content="Ann Author">
<meta property="article:published_time" content="2024-03-01T10:00:00Z">
<meta itemprop="dateModified" content="2024-04-02">
<link rel="canonical" href="/docs/page"><style>p{color:red}</style><script>var hidden = 1</script></head><body>
<nav><a href="/">Home</a></nav><h1>Heading<a class="headerlink" href="#h">¶</a></h1><p>Some <b>bold</b> text.</p>
<ul><li>one<ul><li>two</li></ul></li></ul><ol><li>first</li></ol>
<pre><code class="language-python">def f(x):
    return  x</code></pre><p>Call <code>f(1)</code>.</p>
<table><tr><th>Name</th><th>Price</th></tr><tr><td>Bolt</td><td>3 EUR</td></tr></table>
<details><summary>More</summary>Folded up</details><div style="display:none">Other tab</div>
<svg><text>icon</text></svg><template>never</template><noscript>no scripts</noscript>
<img src="data:image/png;base64,AAAA"><form><label>Your name</label></form></body></html>"""


def page(body, content_type="text/html; charset=utf-8", **headers):
    body = body.encode() if isinstance(body, str) else body
    sent = {"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return read_page(Fetched(URL, 200, sent, body, content_type.partition(";")[0]))


def test_evidence_keeps_the_structure_and_drops_the_machinery():
    text = page(PAGE).text
    for kept in (
        "[Home](/)", "# Heading\n", "Some **bold** text.", "- one\n", "two", "1. first",
        "```python\ndef f(x):\n    return  x\n```", "`f(1)`", "| Name | Price |", "| Bolt | 3 EUR |", "More",
        "Folded up", "Other tab", "Your name",
    ):  # fmt: skip
        assert kept in text
    for dropped in ("¶", "color:red", "var hidden", "icon", "never", "no scripts", "base64", "A title"):
        assert dropped not in text


def test_what_the_page_says_about_itself():
    read = page(PAGE)
    assert (read.title, read.author, read.language) == ("A title", "Ann Author", "en")
    assert (read.published, read.modified) == ("2024-03-01T10:00:00+00:00", "2024-04-02")
    assert read.links.canonical == "https://example.com/docs/page"
    assert read.links.hrefs == ("https://example.com/",)
    assert not read.robots_meta.is_noindex and not read.is_empty


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        ("<title></title><meta property=og:title content=Open><h1>H</h1>", "Open"),
        ("<h1>Only <i>a</i> heading</h1>", "Only a heading"),
        ("<body><svg><title>icon</title></svg><p>x", ""),
        (f"<title>{'x ' * 400}</title>", ("x " * 250).rstrip()),
    ],
)
def test_title_fallbacks(markup, title):
    assert page(markup).title == title


@pytest.mark.parametrize(
    ("body", "content_type", "charset"),
    [
        ("<p>Größe</p>".encode("cp1252"), "text/html; charset=iso-8859-1", "cp1252"),
        ('<meta charset="windows-1251"><p>Größe</p>'.encode("cp1251", "xmlcharrefreplace"), "text/html", "cp1251"),
        ("<p>Größe</p>".encode("utf-8-sig"), "text/html; charset=iso-8859-1", "utf-8"),
        ("\ufeff<p>Größe</p>".encode("utf-16-le"), "text/html", "utf-16-le"),
        ("<p>Größe</p>".encode(), "text/html; charset=nonsense", "utf-8"),
        ("<p>Grö\0ße</p>".encode(), "application/xhtml+xml", "utf-8"),
    ],
)
def test_decoding(body, content_type, charset):
    read = page(body, content_type)
    assert read.text == "Größe"
    assert read.charset.replace("utf8", "utf-8") == charset


def test_undecodable_bytes_do_not_lose_the_rest():
    assert page(b"<p>a\xff\xfe\x00b</p>").text == "a\ufffd\ufffdb"


@pytest.mark.parametrize("body", ["", "   ", "<html></html>", "<script>x()</script>", "<p> <svg></svg>&nbsp;"])
def test_an_empty_page_says_so(body):
    read = page(body)
    assert read.is_empty and read.text == ""


@pytest.mark.parametrize(
    "body",
    [
        "<body style='display:none'><p>Shown by a script</p>",
        "<body><noscript><p>Shown by a script</p></noscript>",
        "<body hidden aria-hidden=true>Shown by a script",
    ],
)
def test_text_that_a_filter_hides_is_found_without_it(body):
    assert page(body).text == "Shown by a script"


def test_nesting_is_refused_from_one_element_beyond_the_limit():
    many_tags = "<br>" * HARMLESS_TAGS
    assert not is_too_nested("<div>" * MAX_NESTING + many_tags)
    assert is_too_nested("<div>" * (MAX_NESTING + 1) + many_tags)
    assert not is_too_nested("<div></div>" * (MAX_NESTING + 1) + many_tags)


def test_title_and_author_are_cut_to_what_is_kept():
    read = page(f"<title>{'t' * 501}</title><meta name=author content='{'a' * 301}'><p>x")
    assert (read.title, read.author) == ("t" * MAX_TITLE_CHARACTERS, "a" * MAX_AUTHOR_CHARACTERS)
    assert (MAX_TITLE_CHARACTERS, MAX_AUTHOR_CHARACTERS) == (500, 300)


def test_deep_nesting_keeps_the_text_or_is_refused_before_it_is_parsed(monkeypatch):
    assert "deep text" in page("<div>" * 2_000 + "deep text").text
    many = "<ul>" + "<li>item<p>para" * 20_000 + "</ul>" + "<div>x</div>" * 5_000
    assert not page(many).is_empty, "many elements are not deep ones"

    def parse(markup):
        pytest.fail("it was parsed, which takes hours")

    monkeypatch.setattr(content, "LexborHTMLParser", parse)
    with pytest.raises(Unreadable):
        page("<div>" * 400_000 + "deep text")


def test_a_long_table_with_one_wide_cell_stays_small():
    text = page("<table>" + "<tr><td>a<td>b" * 5_000 + f"<tr><td>{'w' * 20_000}<td>c</table>").text
    assert len(text) < 200_000


def test_plain_text_and_markdown_are_kept_as_they_are():
    read = page("# Title #\r\n\r\n<b>1 < 2</b>\r\n", "text/markdown")
    assert (read.title, read.text, read.links.hrefs) == ("Title #", "# Title #\n\n<b>1 < 2</b>", ())
    assert page("x", "text/plain", x_robots_tag="noindex").robots_meta.is_noindex
    assert page("\n\n", "text/plain").is_empty


def test_other_types_are_refused_and_a_missing_one_is_looked_at():
    for content_type in ("application/pdf", "application/json", "image/svg+xml"):
        with pytest.raises(WrongContentType):
            page("<p>x</p>", content_type)
    assert page("  <p>x</p>", "").text == "x"
    with pytest.raises(WrongContentType):
        page(b"\x89PNG\xff\xfe", "")


def test_the_hash_ignores_white_space_only():
    assert content_hash("a  b", "c\n\nd") == content_hash("a b ", " c d")
    assert content_hash("a", "b c") != content_hash("a b", "c")
    first, second = page("<title>t</title><p>a b</p>"), page("<title>t</title>\n\n<div><p>a\n b</p></div>")
    assert first.content_hash == second.content_hash
    assert len(first.content_hash) == 64


GERMAN = "Der Kessel wird im Werk geprüft und danach mit allen Unterlagen an den Kunden geliefert. " * 3


@pytest.mark.parametrize(
    ("declared", "header", "text", "language"),
    [
        ("de-AT", "en", "", "de"),
        ("EN", None, GERMAN, "en"),
        ("", "fr", GERMAN, "fr"),
        (None, "de, en", GERMAN, "de"),
        ("und", None, GERMAN, "de"),
        (None, None, GERMAN, "de"),
        (None, None, "Too short", ""),
        ("english", None, "", ""),
    ],
)
def test_language(declared, header, text, language):
    assert page_language(declared, header, text) == language


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-01", "2024-03-01"), ("20240301", "2024-03-01"),
        ("2024-03-01T10:00:00+02:00", "2024-03-01T10:00:00+02:00"),
        ("Fri, 01 Mar 2024 10:00:00 GMT", "2024-03-01T10:00:00+00:00"), ("2024", ""), ("yesterday", ""),
        ("2024-13-45", ""), ("", ""),
    ],
)  # fmt: skip
def test_dates(text, expected):
    assert iso_date(text) == expected


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(alphabet="<>/=\"' abdehilnoprstuv!-&;#x0\x00", max_size=200)))
def test_reading_never_raises_on_html(body):
    read = page(body)
    assert read.is_empty == (not read.text)
    assert "\0" not in read.text + read.title


@settings(deadline=None)
@given(st.text(max_size=40))
def test_dates_never_raise(text):
    assert isinstance(iso_date(text), str)
