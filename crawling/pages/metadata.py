"""What a page says about itself in its head: title, author, dates, language."""

import email.utils
import re
from dataclasses import dataclass
from datetime import date, datetime

from selectolax.lexbor import LexborHTMLParser

MAX_TITLE_CHARACTERS = 500
MAX_AUTHOR_CHARACTERS = 300

_TITLES = ("og:title", "twitter:title", "dc.title", "citation_title")
_AUTHORS = ("author", "article:author", "dc.creator", "dcterms.creator", "citation_author", "parsely-author", "byl")
_PUBLISHED = (
    "article:published_time", "og:article:published_time", "datepublished", "dcterms.created", "dc.date.issued",
    "dcterms.issued", "dcterms.date", "dc.date", "citation_publication_date", "parsely-pub-date", "pubdate",
    "publish-date", "date",
)  # fmt: skip
_MODIFIED = (
    "article:modified_time", "og:article:modified_time", "datemodified", "og:updated_time", "dcterms.modified",
    "dc.date.modified", "last-modified", "revised",
)  # fmt: skip
_ISO_START = re.compile(r"\d{4}-?\d{2}-?\d{2}(?:$|[T ])")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the page declares; empty where it says nothing. Dates are ISO 8601, with a time only if it has one."""

    title: str = ""
    author: str = ""
    published: str = ""
    modified: str = ""
    language: str = ""
    content_language: str = ""


def page_metadata(tree: LexborHTMLParser) -> Metadata:
    """Return what the parsed page declares about itself. Never raises."""
    named = _named_metas(tree)
    root = tree.css_first("html")
    attributes = root.attributes if root is not None else {}
    return Metadata(
        title=_title(tree, named),
        author=_author(tree, named),
        published=_first_date(named, _PUBLISHED) or _time_element(tree, "datePublished", "pubdate"),
        modified=_first_date(named, _MODIFIED) or _time_element(tree, "dateModified"),
        language=attributes.get("lang") or attributes.get("xml:lang") or "",
        content_language=named.get("content-language", ""),
    )


def iso_date(text: str) -> str:
    """Return `text`, ISO 8601 or as in mail headers, as an ISO 8601 date or time; empty when it is neither."""
    text = text.strip()[:60]
    try:
        if _ISO_START.match(text):
            moment = datetime.fromisoformat(text)
            return moment.isoformat() if len(text) > 10 else date.fromisoformat(text).isoformat()
        return email.utils.parsedate_to_datetime(text).isoformat()
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""


def one_line(text: str | None) -> str:
    """Return `text` with every run of white space as one space, and without NUL."""
    return " ".join((text or "").replace("\x00", "").split())


def _named_metas(tree: LexborHTMLParser) -> dict[str, str]:
    named: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        for key in ("name", "property", "itemprop", "http-equiv"):
            name = (attributes.get(key) or "").strip().lower()
            content = one_line(attributes.get("content"))
            if name and content:
                named.setdefault(name, content)
    return named


def _title(tree: LexborHTMLParser, named: dict[str, str]) -> str:
    node = tree.css_first("head > title")
    title = one_line(node.text()) if node is not None else ""
    title = title or next((named[name] for name in _TITLES if name in named), "")
    if not title and (heading := tree.css_first("h1")) is not None:
        title = one_line(heading.text())
    return title[:MAX_TITLE_CHARACTERS].rstrip()


def _author(tree: LexborHTMLParser, named: dict[str, str]) -> str:
    for name in _AUTHORS:
        author = named.get(name, "")
        if author and not author.startswith(("http://", "https://")):  # article:author is often a profile's address
            return author[:MAX_AUTHOR_CHARACTERS].rstrip()
    node = tree.css_first("[itemprop=author] [itemprop=name], [itemprop=author], a[rel~=author]")
    return one_line(node.text())[:MAX_AUTHOR_CHARACTERS].rstrip() if node is not None else ""


def _first_date(named: dict[str, str], names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := iso_date(named.get(name, "")))), "")


def _time_element(tree: LexborHTMLParser, itemprop: str, marker: str = "") -> str:
    selector = f"time[itemprop={itemprop}]" + (f", time[{marker}]" if marker else "")
    node = tree.css_first(selector)
    return iso_date(node.attributes.get("datetime") or node.text()) if node is not None else ""
