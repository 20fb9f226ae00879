"""Bench `sites`: two real documentation sites, every URL of the ledger held against an independent count."""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from config.benches import Measured
from config.benches.commands import Ran, command_run
from config.benches.documentation import POSTGRESQL, PYTHON, Documentation, require, served
from config.benches.reachable import Reach, canonical, reach
from crawling.models import SourceHold
from jobs.models import WorkItem
from jobs.states import ItemState, Reason

SITES = (POSTGRESQL, PYTHON)
SHOWN_DIFFERENCES = 5


def run() -> Measured:
    """Return figures per site; good when every one matches its count."""
    require(*SITES)
    sites = {site.package: _site(site) for site in SITES}
    is_good = all(site["matches"] for site in sites.values())
    return Measured({"sites": sites, "matches": is_good}, is_good)


def _site(site: Documentation) -> dict[str, Any]:
    expected = reach(site.folder, "")
    with served(site) as url:
        ran = command_run(["crawl", url])
    found = ledger_read(UUID(ran.reply["job_id"]), url)
    differences = differences_of(expected, found) + _unaccounted(ran.reply, found)
    return {**_figures(ran, found), **_expected_figures(expected), "matches": not differences} | (
        {"differences": differences} if differences else {}
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What a crawl's ledger says; URLs as path with query, sitemaps and redirects left out of the pages."""

    total: int
    pages: set[str]  #: done, and stored as sources
    ends: dict[tuple[str, str], set[str]]  #: (state, reason) → URLs that did not end as a page
    sources: set[str]  #: URLs of what the job holds


def ledger_read(job_id: UUID, url: str) -> Found:
    """Return how every item of the job that crawled `url` ended."""
    pages: set[str] = set()
    ends: dict[tuple[str, str], set[str]] = {}
    rows = WorkItem.objects.filter(job_id=job_id).values_list("key", "state", "reason", "outcome")
    for key, state, reason, outcome in rows:
        if outcome in ("sitemap", "redirected"):
            ends.setdefault((state, outcome), set()).add(key)
        elif state == ItemState.DONE.value:
            pages.add(_path(key, url))
        else:
            ends.setdefault((state, reason), set()).add(_path(key, url))
    holds = SourceHold.objects.filter(job_id=job_id).values_list("source__url", flat=True)
    return Found(len(rows), pages, ends, {_path(held, url) for held in holds})


def _path(key: str, url: str) -> str:
    """Return path and query of a URL on the served site, in the count's spelling; any other key as it is."""
    return canonical(key) if urlsplit(key).netloc == urlsplit(url).netloc else key


def differences_of(expected: Reach, found: Found) -> list[str]:
    """Return what the ledger and the count do not agree on, as sentences; empty when every URL matches."""
    copies = found.ends.get((ItemState.SKIPPED.value, Reason.DUPLICATE.value), set())
    broken = found.ends.get((ItemState.FAILED.value, Reason.GONE.value), set())
    files = found.ends.get((ItemState.SKIPPED.value, Reason.CONTENT_TYPE.value), set())
    said = _compared("pages", expected.pages, found.pages | copies)
    if len(copies) != len(expected.copies):
        said.append(f"copies: {len(expected.copies)} expected, {len(copies)} skipped as duplicates")
    said += _compared("sources", found.pages, found.sources)
    said += _compared("broken links", set(expected.broken), broken)
    said += _compared("files that are not pages", expected.files, files)
    known = {(ItemState.SKIPPED.value, Reason.DUPLICATE.value), (ItemState.FAILED.value, Reason.GONE.value)}
    known |= {(ItemState.SKIPPED.value, Reason.CONTENT_TYPE.value)}
    for (state, reason), urls in found.ends.items():
        if state != ItemState.DONE.value and (state, reason) not in known:
            said.append(f"{len(urls)} {state} ({reason}): {', '.join(sorted(urls)[:SHOWN_DIFFERENCES])}")
    return said


def _compared(what: str, expected: set[str], found: set[str]) -> list[str]:
    said = []
    for word, urls in (("missing", expected - found), ("unexpected", found - expected)):
        if urls:
            said.append(f"{what}: {len(urls)} {word}, such as {', '.join(sorted(urls)[:SHOWN_DIFFERENCES])}")
    return said


def _unaccounted(reply: dict[str, Any], found: Found) -> list[str]:
    """Return what the command's own summary gets wrong about the ledger."""
    counts = Counter(reply["counts"])
    said = []
    if not reply["urls_found"] == found.total == sum(counts.values()):
        said.append(
            f"the summary counts {sum(counts.values())} of {reply['urls_found']} items, the ledger {found.total}"
        )
    if reply["result"].get("sources") != len(found.sources):
        said.append(f"the summary says {reply['result'].get('sources')} sources, the job holds {len(found.sources)}")
    return said


def _figures(ran: Ran, found: Found) -> dict[str, Any]:
    counts = ran.reply["counts"]
    crawl_seconds = float(ran.reply["seconds"])
    return {
        "urls_found": ran.reply["urls_found"],
        "done": counts.get("done", 0),
        "failed": counts.get("failed", 0),
        "skipped": counts.get("skipped", 0),
        "reasons": ran.reply["reasons"],
        "sources": len(found.sources),
        "extractions": sum(one["result"].get("extractions", 0) for one in ran.reply["chained"]),
        "seconds": round(ran.seconds, 1),
        "crawl_seconds": round(crawl_seconds, 1),
        "pages_per_second": round(len(found.pages) / crawl_seconds, 1),
        "cpu_seconds": round(ran.cpu_seconds, 1),
        "peak_rss_mb": round(ran.peak_rss_mb),
    }


def _expected_figures(expected: Reach) -> dict[str, int]:
    return {
        "pages_expected": len(expected.pages) - len(expected.copies),
        "copies_expected": len(expected.copies),
        "broken_expected": len(expected.broken),
        "files_expected": len(expected.files),
    }
