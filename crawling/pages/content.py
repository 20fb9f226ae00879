"""From a reply's bytes to a page: its evidence text, its metadata and its links. Only computes; no I/O."""

import hashlib
from dataclasses import dataclass, field

from html_to_markdown import ConversionOptions, PreprocessingOptions, WarningKind, convert
from html_to_markdown.exceptions import ConversionError
from selectolax.lexbor import LexborHTMLParser
from w3lib.encoding import html_to_unicode

from crawling.errors import Unreadable, WrongContentType
from crawling.pages.language import page_language
from crawling.pages.limits import MAX_NESTING, is_too_nested
from crawling.pages.links import Links, RobotsMeta, page_links, robots_meta
from crawling.pages.metadata import MAX_TITLE_CHARACTERS, Metadata, one_line, page_metadata
from crawling.web.fetch import HTML_TYPES, TEXT_TYPES, Fetched

#: Never text for a reader. Icons come as svg; iframes are followed as links.
_DROPPED = ["script", "style", "template", "svg", "iframe", "object", "embed", "canvas"]
_PERMALINKS = "a.headerlink, a.anchorjs-link, a.anchor[aria-hidden=true]"
_OPTIONS = {
    hidden: ConversionOptions(
        extract_metadata=False,
        preprocessing=PreprocessingOptions(enabled=False),  # its presets drop navigation and forms
        hidden_content=hidden,
        compact_tables=True,  # padded columns turn one long cell in a long table into gigabytes
        inline_data_media="drop_element",
        expand_abbreviations=False,  # a title attribute is not what the page says
    )
    for hidden in ("reachable", "all")
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it is stored.

    text: the evidence text, Markdown for HTML (links as written in the page), else the text itself; what evidence
    offsets count in. is_empty: there is no text at all. content_hash: SHA-256 (hex) of title and text without
    regard to white space. charset: what the bytes were decoded with. published, modified: ISO 8601 or empty.
    language: ISO 639 code or empty.
    """

    url: str
    title: str
    text: str
    is_empty: bool
    content_hash: str
    charset: str
    author: str = ""
    published: str = ""
    modified: str = ""
    language: str = ""
    links: Links = field(default_factory=Links)

    @property
    def robots_meta(self) -> RobotsMeta:
        """Return what the page asks of crawlers."""
        return self.links.robots_meta


def read_page(fetched: Fetched) -> Page:
    """Return the page that a reply holds.

    Raises: WrongContentType (neither HTML nor text), Unreadable (nested too deeply).
    """
    charset, markup = html_to_unicode(fetched.headers.get("content-type"), fetched.body)
    markup = markup.replace("\x00", "")
    if _is_html(fetched, markup):
        return _html_page(fetched, markup, charset)
    robots = fetched.headers.get("x-robots-tag")
    title = next((line.lstrip("# ") for line in markup.splitlines() if line.strip("# \t")), "")
    return _page(
        fetched,
        markup.replace("\r\n", "\n").strip(),
        charset,
        Metadata(title=one_line(title)[:MAX_TITLE_CHARACTERS]),
        Links(robots_meta=robots_meta([robots] if robots else [])),
    )


def content_hash(title: str, text: str) -> str:
    """Return the SHA-256, in hex, of title and text, the same however their white space is laid out."""
    return hashlib.sha256(f"{one_line(title)}\n{one_line(text)}".encode()).hexdigest()


def _is_html(fetched: Fetched, markup: str) -> bool:
    if fetched.content_type in HTML_TYPES:
        return True
    if fetched.content_type in TEXT_TYPES:
        return False
    if not fetched.content_type and "\ufffd" not in markup[:1000]:
        return markup[:1000].lstrip().startswith("<")
    raise WrongContentType(
        f"The reply is of type {fetched.content_type or 'unknown (none was sent)'}; only HTML and text are read."
    )


def _html_page(fetched: Fetched, markup: str, charset: str) -> Page:
    if is_too_nested(markup):
        raise Unreadable(f"The page's elements are nested more than {MAX_NESTING:,} deep, so it is not parsed.")
    tree = LexborHTMLParser(markup)
    metadata = page_metadata(tree)
    links = page_links(tree, fetched.url, robots_header=fetched.headers.get("x-robots-tag"))
    return _page(fetched, evidence_text(tree), charset, metadata, links)


def evidence_text(tree: LexborHTMLParser) -> str:
    """Return the page's text as Markdown: all of it, navigation and folded-up parts included; it alters `tree`.

    What only shows without scripts (noscript) counts when there is nothing else, and the bare text when the
    structure cannot be converted.
    """
    for node in tree.css(_PERMALINKS):
        node.decompose()
    tree.strip_tags(_DROPPED)
    return (
        _markdown(tree, "reachable")
        or _markdown(tree, "all")
        or tree.text(separator="\n", strip=True).replace("\x00", "").strip()
    )


def _markdown(tree: LexborHTMLParser, hidden: str) -> str:
    """Return the tree as Markdown, empty when that would lose text."""
    body = tree.body
    html = (body.html if body is not None else tree.html) or ""
    try:
        result = convert(html, _OPTIONS[hidden])
    except ConversionError:
        return ""
    if any(warning.kind == WarningKind.DEPTH_LIMIT_EXCEEDED for warning in result.warnings):
        return ""
    return (result.content or "").replace("\x00", "").strip()


def _page(fetched: Fetched, text: str, charset: str, metadata: Metadata, links: Links) -> Page:
    header = metadata.content_language or fetched.headers.get("content-language")
    return Page(
        url=fetched.url,
        title=metadata.title,
        text=text,
        is_empty=not text,
        content_hash=content_hash(metadata.title, text),
        charset=charset,
        author=metadata.author,
        published=metadata.published,
        modified=metadata.modified,
        language=page_language(metadata.language, header, text),
        links=links,
    )
