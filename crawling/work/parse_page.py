"""From a reply's bytes to the page to store and the links to follow: pure computation, run off the event loop."""

import contextlib
import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from crawling.errors import BadUrl
from crawling.pages.content import Page, read_page
from crawling.sources import dependants
from crawling.sources.dependants import PageText
from crawling.sources.page_write import PageWrite
from crawling.web.fetch import Fetched
from crawling.web.scope import Admission, Scope
from crawling.web.urls import canonical_url, host_of
from crawling.work.items import page_item, sitemap_item
from jobs.registry.kinds import NewItem
from jobs.worker.cpu import cancellation_check

COMPRESSION_LEVEL = 3  # half the time of the default for 5 % more bytes
MAX_SITEMAP_LEVELS = 2  # an index names files, and some hosts an index of indexes; deeper ones may never end
KEPT_HEADERS = frozenset({
    "content-type", "content-language", "date", "last-modified", "etag", "server", "link", "x-robots-tag",
})  # fmt: skip

# Each looks at every byte once, whatever a hostile page is made of: no class can run across a "<".
_HAS_DATA = re.compile(rb"itemprop|property|ld\+json|<meta", re.IGNORECASE)
_TAG = re.compile(rb"<[a-zA-Z][^<>]*>")
_STATES = re.compile(
    rb"[\s\"'](?:(?:itemprop|property)\s*=|name\s*=\s*[\"']?"
    rb"(?:description|author|keywords|date|application-name|dc\.|dcterms\.|twitter:|citation_|article:|product:))",
    re.IGNORECASE,
)
_SCRIPT_END = re.compile(rb"</script", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Follow:
    """What it takes to turn links into items; a scrape follows no links and has none of it."""

    scope: Scope
    depth: int
    seen: Mapping[str, int]  #: URLs the job is known to have, with the depth they were added at


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply holds: the page, what to store of it, the items found on it, and facts for people to read."""

    page: Page
    write: PageWrite | None
    new_items: tuple[NewItem, ...] = ()
    result: dict[str, Any] = field(default_factory=dict)


def reply_read(fetched: Fetched, *, source_group: str, follow: Follow | None) -> Reading:
    """Return what a page's reply holds. Raises: FetchError (content_type, parse), Abandoned."""
    page = read_page(fetched)
    cancellation_check()
    new_items, outside = links_admitted(page, follow)
    result: dict[str, Any] = {
        "http_status": fetched.status,
        "content_type": fetched.content_type,
        "size_bytes": len(fetched.body),
        "seconds": round(fetched.seconds, 3),
        "title": page.title[:200],
        "links": len(page.links.hrefs),
    }
    if outside:
        result["out_of_scope"] = outside
    write = None if page.is_empty or page.links.robots_meta.is_noindex else _write(fetched, page, source_group)
    return Reading(page, write, tuple(new_items), result)


def links_admitted(page: Page, follow: Follow | None) -> tuple[list[NewItem], dict[str, int]]:
    """Return items for the page's links that are in scope and new, and the number of those left out, by reason."""
    if follow is None or page.links.robots_meta.is_nofollow:
        return [], {}
    urls = list(page.links.hrefs)
    if page.links.canonical:
        urls.append(page.links.canonical)
    return urls_admitted(urls, follow, depth=follow.depth + 1)


def urls_admitted(
    urls: Iterable[str], follow: Follow, *, depth: int, **data: Any
) -> tuple[list[NewItem], dict[str, int]]:
    """Return items for those of the URLs that are in scope and new at this depth, and counts of the others."""
    items: dict[str, NewItem] = {}
    outside: Counter[str] = Counter()
    for url in urls:
        cancellation_check()
        try:
            canonical = follow.scope.canonical(url)
        except BadUrl:
            outside[Admission.BAD_URL.value] += 1
            continue
        if canonical in items or follow.seen.get(canonical, depth + 1) <= depth:
            continue
        admission = follow.scope.admit(canonical, depth)
        if admission is Admission.IN:
            items[canonical] = page_item(canonical, depth=depth, **data)
        else:
            outside[admission.value] += 1
    return list(items.values()), dict(outside)


def sitemaps_admitted(urls: Iterable[str], *, within: str, level: int) -> list[NewItem]:
    """Return items for the sitemaps that the index at `within` names on its own host; `level` is the index's."""
    if level >= MAX_SITEMAP_LEVELS:
        return []
    items: dict[str, NewItem] = {}
    for url in urls:
        with contextlib.suppress(BadUrl):  # such a file counts as broken
            canonical = canonical_url(url)
            if host_of(canonical) == host_of(within):
                items[canonical] = sitemap_item(canonical, level=level + 1)
    return list(items.values())


def content_fingerprint(text_hash: str, body: bytes) -> str:
    """Return the SHA-256 (hex) of what extraction reads: the text, and the structured data that no reader sees.

    The whole body would change with every nonce and time stamp in it.
    """
    digest = hashlib.sha256(text_hash.encode())
    if _HAS_DATA.search(body):
        for part in _structured_data(body):
            digest.update(part)
    return digest.hexdigest()


def _structured_data(body: bytes) -> Iterator[bytes]:
    """Yield the JSON-LD scripts of a page, and the tags that state something by itemprop, property or a known name.

    Other names (tokens, times of rendering) change with every request.
    """
    position = 0
    while tag := _TAG.search(body, position):
        position = tag.end()
        if tag[0][:7].lower() == b"<script":
            end = _SCRIPT_END.search(body, position)
            start, position = position, end.start() if end else len(body)
            if b"ld+json" in tag[0].lower():
                yield body[start:position]
        elif _STATES.search(tag[0]):
            yield tag[0]


def _write(fetched: Fetched, page: Page, source_group: str) -> PageWrite:
    text = PageText(url=fetched.url, title=page.title, text=page.text, language=page.language)
    return PageWrite(
        url=fetched.url,
        fields={
            "source_group": source_group,
            "title": page.title,
            "author": page.author,
            "language": page.language,
            "published": page.published,
            "modified": page.modified,
            "http_status": fetched.status,
            "content_type": fetched.content_type,
            "etag": fetched.etag or "",
            "last_modified": fetched.last_modified or "",
            "content_hash": content_fingerprint(page.content_hash, fetched.body),
            "body_hash": hashlib.sha256(fetched.body).hexdigest(),
            "size_bytes": len(fetched.body),
        },
        body=gzip.compress(fetched.body, COMPRESSION_LEVEL, mtime=0),
        text=page.text,
        charset=page.charset,
        headers={name: value for name, value in fetched.headers.items() if name.lower() in KEPT_HEADERS},
        prepared={dependant.name: dependant.prepare(text) for dependant in dependants.all_of_them()},
    )
