"""What a page links to, and what it asks of crawlers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

#: Fragments of the same page are most links of some pages (5,000 in an index) and are left out by the selector.
_FOLLOWED = "a[href]:not([href^='#']), area[href], link[href], iframe[src], frame[src], meta"
#: Hrefs that resolve by plain concatenation: no scheme, query, escape, "//" or dot segment to think about.
_PLAIN = re.compile(r"(?!\S*//)(?!(?:\S*/)?\.{1,2}(?:/|$))[A-Za-z0-9_.~/-]+")
_IGNORED_INSIDE = str.maketrans("", "", "\t\n\r")
_REFRESH = re.compile(r"^\s*[\d.]*\s*[;,]?\s*(?:url\s*=\s*)?['\"]?([^'\"]+)", re.IGNORECASE)
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LINK_ROLES = {"canonical": "canonical", "next": "next", "prev": "prev", "previous": "prev"}
_ROBOT_NAMES = frozenset({"robots", "quarry"})
_DIRECTIVE_NAMES = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


@dataclass(frozen=True, slots=True)
class RobotsMeta:
    """What a page asks of crawlers, by its meta elements and its X-Robots-Tag header together."""

    is_noindex: bool = False
    is_nofollow: bool = False


@dataclass(frozen=True, slots=True)
class Links:
    """The links of one page: absolute http(s) URLs without fragment, not yet canonical.

    hrefs: everything to follow, in page order, without duplicates: a, area, iframe, frame, link
    rel=next/prev and meta refresh. canonical, next, prev, refresh: those links by themselves; canonical is
    not part of hrefs.
    """

    hrefs: tuple[str, ...] = ()
    canonical: str | None = None
    next: str | None = None
    prev: str | None = None
    refresh: str | None = None
    robots_meta: RobotsMeta = RobotsMeta()


def page_links(
    page: LexborHTMLParser | str | bytes,
    base_url: str,
    *,
    robots_header: str | None = None,
) -> Links:
    """Return the links of `page`, which was fetched from `base_url`; its `<base href>` is honoured. Never
    raises.

    page: the parsed tree, or markup (bytes are taken for UTF-8). robots_header: the value of X-Robots-Tag.
    """
    tree = page if isinstance(page, LexborHTMLParser) else LexborHTMLParser(page)
    resolver = _Resolver(_base_of(tree, base_url))
    hrefs: dict[str, None] = {}
    single: dict[str, str] = {}
    robots = [robots_header] if robots_header else []
    for node in tree.css(_FOLLOWED):
        attributes = node.attributes
        if node.tag == "meta" and (attributes.get("name") or "").lower() in _ROBOT_NAMES:
            robots.append(attributes.get("content") or "")
        for role, href in _candidates(node, attributes):
            url = resolver.absolute(href)
            if url is None:
                continue
            single.setdefault(role, url)
            if role != "canonical":
                hrefs[url] = None
    named = {role: single.get(role) for role in ("canonical", "next", "prev", "refresh")}
    return Links(tuple(hrefs), robots_meta=robots_meta(robots), **named)


def robots_meta(values: list[str]) -> RobotsMeta:
    """Return what meta contents and X-Robots-Tag values ask of us; directives for other robots do not count."""
    words: set[str] = set()
    for value in values:
        is_for_us = True
        for part in value.lower().split(","):
            name, colon, rest = part.partition(":")
            if colon and name.strip() not in _DIRECTIVE_NAMES:
                is_for_us = name.strip() in _ROBOT_NAMES
                part = rest
            if is_for_us:
                words.update(part.split())
    return RobotsMeta(is_noindex=bool(words & {"noindex", "none"}), is_nofollow=bool(words & {"nofollow", "none"}))


def _candidates(node: LexborNode, attributes: dict[str, str | None]) -> Iterator[tuple[str, str]]:
    match node.tag:
        case "a" | "area":
            yield "page", attributes.get("href") or ""
        case "iframe" | "frame":
            yield "page", attributes.get("src") or ""
        case "link":
            relations = (attributes.get("rel") or "").lower().split()
            for relation in _LINK_ROLES.keys() & relations:
                yield _LINK_ROLES[relation], attributes.get("href") or ""
        case "meta" if (attributes.get("http-equiv") or "").lower() == "refresh":
            if (found := _REFRESH.match(attributes.get("content") or "")) and found[1].strip():
                yield "refresh", found[1]


def _base_of(tree: LexborHTMLParser, base_url: str) -> str:
    node = tree.css_first("base[href]")
    href = (node.attributes.get("href") or "").strip() if node is not None else ""
    try:
        joined = urljoin(base_url, href) if href else base_url
        return joined if urlsplit(joined).scheme in ("http", "https") else base_url
    except ValueError:
        return base_url


class _Resolver:
    """Resolves the hrefs of one page; the plain ones by concatenation, ten times faster than `urljoin`."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._known: dict[str, str | None] = {}
        try:
            parts = urlsplit(base)
            path = parts.path
            self._origin = f"{parts.scheme}://{parts.netloc}"
        except ValueError:
            path, self._origin = "", ""
        self._is_plain = bool(self._origin) and path.startswith("/") and "/." not in path and ";" not in path
        self._folder = f"{self._origin}{path.rpartition('/')[0]}/"

    def absolute(self, href: str) -> str | None:
        """Return `href` as an absolute URL without fragment; None if it is not a link to a web page."""
        href = href.partition("#")[0]
        if href not in self._known:
            self._known[href] = self._absolute(href.translate(_IGNORED_INSIDE).strip())
        return self._known[href]

    def _absolute(self, href: str) -> str | None:
        if not href:
            return None  # this very page, whatever the fragment
        if self._is_plain and _PLAIN.fullmatch(href):
            return f"{self._origin}{href}" if href.startswith("/") else f"{self._folder}{href}"
        if _HAS_SCHEME.match(href) and not href[:6].lower().startswith(("http:", "https:")):
            return None  # mailto, javascript, tel, data and the like
        try:
            url = urljoin(self.base, href)
            parts = urlsplit(url)
        except ValueError:
            return None
        return url if parts.scheme in ("http", "https") and parts.netloc else None
