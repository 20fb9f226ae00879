"""An independent count of the HTML pages that links reach in a folder, to hold a crawl against.

Standard library only; it shares no code with the crawler.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

ORIGIN = "http://site.invalid"
HTML_SUFFIXES = {".html", ".htm"}


@dataclass
class Reach:
    """What a crawler meets that follows every `<a>` and `<area>`; URLs inside as path with query."""

    pages: set[str] = field(default_factory=set)  #: HTML
    files: set[str] = field(default_factory=set)  #: anything else that exists: images, text, downloads
    broken: dict[str, str] = field(default_factory=dict)  #: no such file → the first page that links to it
    redirects: set[str] = field(default_factory=set)  #: a folder named without its final slash
    outside: set[str] = field(default_factory=set)  #: other sites, other schemes, above the prefix
    copies: dict[str, str] = field(default_factory=dict)  #: page → page met earlier with the same bytes
    depth: dict[str, int] = field(default_factory=dict)  #: fewest clicks from the start


class Links(HTMLParser):
    """Collects link targets in document order, and the page's `<base>`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.targets: list[str] = []
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = next((value for name, value in attrs if name == "href"), None)
        if target is None:
            return
        if tag in ("a", "area"):
            self.targets.append(target.strip())
        elif tag == "base" and self.base is None:
            self.base = target.strip()


def reach(folder: str | os.PathLike[str], start: str = "index.html", *, prefix: str = "/") -> Reach:
    """Follow the links of a folder breadth first, as it would be served at `/`, and sort what they lead to.

    start: file or URL path relative to the folder. prefix: URL paths that do not begin with it are outside.
    """
    root, found = Path(folder).resolve(strict=True), Reach()
    first = canonical(ORIGIN + "/" + start.lstrip("/"))
    found.depth[first] = 0
    waiting = [first]
    contents: dict[str, str] = {}
    for url in waiting:  # grows while it is walked
        targets = _visit(root, url, found, contents)
        for target in targets:
            inside = target.startswith(ORIGIN + "/") and target[len(ORIGIN) :].startswith(prefix)
            key = target[len(ORIGIN) :] if inside else target
            if not inside:
                found.outside.add(target)
            elif key not in found.depth:
                found.depth[key] = found.depth[url] + 1
                found.broken[key] = url  # until a file is found there
                waiting.append(key)
    return found


def canonical(url: str) -> str:
    """Return path and query of an absolute URL: no fragment, one spelling of each escape."""
    parts = urlsplit(urldefrag(url).url)
    path = quote(unquote(parts.path), safe="/:@!$&'()*+,;=~-._")
    return (path or "/") + (f"?{parts.query}" if parts.query else "")


def _visit(root: Path, url: str, found: Reach, contents: dict[str, str]) -> list[str]:
    """Sort one URL into `found` and return where it leads, as absolute URLs."""
    path = unquote(urlsplit(url).path)
    file = root / path.lstrip("/")
    if path.endswith("/"):
        file = file / "index.html"
    elif file.is_dir():
        found.broken.pop(url, None)
        found.redirects.add(url)
        return [ORIGIN + canonical(ORIGIN + path + "/")]
    if not file.is_file():
        found.broken.setdefault(url, "the start")
        return []
    found.broken.pop(url, None)
    if file.suffix.lower() not in HTML_SUFFIXES:
        found.files.add(url)
        return []
    found.pages.add(url)
    body = file.read_bytes()
    earlier = contents.setdefault(hashlib.sha256(body).hexdigest(), url)
    if earlier != url:
        found.copies[url] = earlier
    return list(_targets(body, ORIGIN + url))


def _targets(body: bytes, address: str) -> Iterator[str]:
    declared = re.search(rb"charset=[\"']?([\w-]+)", body[:2048])
    links = Links()
    links.feed(body.decode(declared[1].decode() if declared else "utf-8", errors="replace"))
    links.close()
    base = urljoin(address, links.base) if links.base else address
    for target in links.targets:
        try:
            url = urljoin(base, target)
        except ValueError:  # such as http://[broken
            continue
        yield ORIGIN + canonical(url) if url.startswith(ORIGIN + "/") else urldefrag(url).url
