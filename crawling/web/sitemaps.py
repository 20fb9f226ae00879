"""Sitemaps: urlset and index files, plain lists, feeds, all of them also compressed."""

import io
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from lxml import etree

from crawling.errors import TooLarge
from crawling.web.inflate import InflateError, Inflater
from jobs.worker.cpu import cancellation_check

MAX_SITEMAP_URLS = 50_000  # sitemaps.org: per file
MAX_SITEMAP_BYTES = 50_000_000  # sitemaps.org: 50 MB, uncompressed


@dataclass(frozen=True, slots=True)
class Sitemap:
    """What one sitemap file names: absolute http(s) URLs in file order, without duplicates, not yet
    canonical.

    urls: pages. sitemaps: further sitemap files (of an index). is_broken: not all of it could be read
    (damaged, or beyond MAX_SITEMAP_URLS or MAX_SITEMAP_BYTES); what was read before stands.
    """

    urls: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()
    is_broken: bool = False


class _Collector:
    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.urls: dict[str, None] = {}
        self.sitemaps: dict[str, None] = {}
        self.is_broken = False

    def add(self, text: str | None, *, is_sitemap: bool = False) -> None:
        """Note one address; an unusable one marks the file as broken. Raises: Abandoned."""
        cancellation_check()
        found = self.sitemaps if is_sitemap else self.urls
        try:
            url = urljoin(self.base_url, "".join((text or "").split()))
            parts = urlsplit(url)
        except ValueError:
            self.is_broken = True
            return
        if not text or not text.strip() or parts.scheme not in ("http", "https") or not parts.netloc:
            self.is_broken = True
        elif len(found) < MAX_SITEMAP_URLS:
            found[url] = None
        elif url not in found:
            self.is_broken = True


def parse_sitemap(body: bytes, url: str) -> Sitemap:
    """Return what the sitemap `body`, fetched from `url`, names. Raises Abandoned at most; see `Sitemap.is_broken`.

    Understands urlset and sitemapindex whatever their namespace, RSS and Atom, and text with one URL per
    line.
    """
    collector = _Collector(url)
    content = _content(body, collector)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n\x00").startswith(b"<") or content[:2] in (
        b"\xff\xfe",
        b"\xfe\xff",
    ):
        _read_xml(content, collector)
    else:
        _read_lines(content, collector)
    return Sitemap(tuple(collector.urls), tuple(collector.sitemaps), collector.is_broken)


def _content(body: bytes, collector: _Collector) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        collector.is_broken |= len(body) > MAX_SITEMAP_BYTES
        return body[:MAX_SITEMAP_BYTES]
    inflater = Inflater("gzip", max_bytes=MAX_SITEMAP_BYTES)
    pieces = []
    try:
        for start in range(0, len(body), 4096):  # small steps, so that all before a break is kept
            pieces.append(inflater.feed(body[start : start + 4096]))
        inflater.close()
    except (TooLarge, InflateError):
        collector.is_broken = True
    return b"".join(pieces)


def _read_lines(content: bytes, collector: _Collector) -> None:
    for line in content.decode("utf-8-sig", "replace").splitlines():
        if line.strip().lower().startswith(("http://", "https://")):
            collector.add(line)
        elif line.strip() and not line.startswith("#"):
            collector.is_broken = True


def _read_xml(content: bytes, collector: _Collector) -> None:
    events = etree.iterparse(
        io.BytesIO(content),
        events=("end",),
        recover=True,
        resolve_entities=False,  # no expansion, so nothing to blow up
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for _, element in events:
            _take(element, collector)
    except (etree.LxmlError, SyntaxError):
        collector.is_broken = True
    collector.is_broken |= bool(events.error_log)


def _take(element: "etree._Element", collector: _Collector) -> None:
    name = _local(element)
    parent = element.getparent()
    above = _local(parent) if parent is not None else ""
    if name == "loc" and above in ("url", "sitemap"):
        collector.add(element.text, is_sitemap=above == "sitemap")
    elif name == "link" and above == "item":
        collector.add(element.text)
    elif name == "link" and above == "entry" and element.get("rel", "alternate") == "alternate":
        collector.add(element.get("href"))
    elif name in ("url", "sitemap", "item", "entry"):
        element.clear()  # keeps memory flat over a file of 50 MB
        while (before := element.getprevious()) is not None and parent is not None:
            parent.remove(before)


def _local(element: "etree._Element") -> str:
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""
