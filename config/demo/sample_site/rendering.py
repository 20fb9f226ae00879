"""From stored page files to the exact bytes the sample site answers with.

A page file begins with `key: value` lines, then a line `---`, then the content of `<main>`. Keys: `title`,
`description`, `modified` (a date, becomes Last-Modified), `lang` (`en` unless given) and any number of `head`
lines, which go into `<head>` as they are.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from config.demo.sample_site.calibration_log import table_rows
from config.demo.sample_site.manifest import DUPLICATE_PATH, DUPLICATED_PATH, LARGE_PATH

PAGES = Path(__file__).parent / "pages"
ASSETS_MODIFIED = datetime(2024, 1, 8, tzinfo=UTC)
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Document:
    """One answer: body, media type, date of the last change (UTC, whole seconds) and a strong entity tag."""

    body: bytes
    content_type: str
    modified: datetime
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        """Set the entity tag from the body, so equal bytes always carry equal tags."""
        object.__setattr__(self, "etag", f'"{hashlib.sha256(self.body).hexdigest()[:24]}"')


def documents(base: str) -> dict[str, Document]:
    """Return every small document by URL path; `base` (no final slash) begins their absolute addresses."""
    found = {}
    for file in sorted(PAGES.rglob("*")):
        if file.is_file() and not file.name.startswith("_") and url_path(file) != LARGE_PATH:
            found[url_path(file)] = document(file, base)
    found[DUPLICATE_PATH] = found[DUPLICATED_PATH]
    return found


def large_document(base: str) -> Document:
    """Return the calibration log, generated now; the same bytes in every run for the same `base`."""
    return document(PAGES / f"{LARGE_PATH[1:]}.html", base, rows=table_rows())


def not_found_document(base: str) -> Document:
    """Return the page that goes with status 404."""
    return document(PAGES / "_not_found.html", base)


def url_path(file: Path) -> str:
    """Return the URL path of a stored file: pages lose `.html`, an index answers for its folder."""
    relative = file.relative_to(PAGES)
    if file.suffix != ".html":
        return f"/{relative.as_posix()}"
    path = "/" + relative.with_suffix("").as_posix()
    return path.removesuffix("index") if file.stem == "index" else path


def document(file: Path, base: str, **blocks: str) -> Document:
    """Return one stored file as it is served; `blocks` replace `{{ name }}` in the content of a page."""
    text = file.read_text(encoding="utf-8")
    modified = ASSETS_MODIFIED
    if file.suffix == ".html":
        text, modified = _page(text, blocks)
    body = text.replace("{{ base }}", base).encode()
    return Document(body, CONTENT_TYPES[file.suffix], modified)


def _page(text: str, blocks: dict[str, str]) -> tuple[str, datetime]:
    front, _, content = text.partition("\n---\n")
    facts, head = {"lang": "en"}, []
    for line in front.splitlines():
        key, _, value = line.partition(": ")
        if key == "head":
            head.append(value)
        else:
            facts[key] = value
    for name, value in blocks.items():
        content = content.replace(f"{{{{ {name} }}}}", value)
    layout = (PAGES / f"_layout.{facts['lang']}.html").read_text(encoding="utf-8")
    for name in ("title", "description"):
        layout = layout.replace(f"{{{{ {name} }}}}", escape(facts[name]))
    page = layout.replace("{{ head }}", "\n".join(head)).replace("{{ content }}", content.rstrip())
    return page, datetime.fromisoformat(facts["modified"]).replace(tzinfo=UTC)
