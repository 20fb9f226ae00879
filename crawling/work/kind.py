"""The kinds `crawl` (follows links within a scope) and `scrape` (fetches a list of URLs)."""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crawling.models import SourceHold
from crawling.sources import store
from crawling.states import ItemOutcome
from crawling.work.items import page_item, robots_item
from jobs.ledger.items import items_add
from jobs.registry import kinds
from jobs.registry.kinds import JobKey, JobRef, Kind, NewItem, Outcome

if TYPE_CHECKING:
    from crawling.work.worker import HostWorker

FAMILY = "host"


class _Fetching(Kind):
    """What crawl and scrape have in common: lanes are hosts, results are pages."""

    family = FAMILY
    items_name = "urls_found"
    uncounted_outcomes = frozenset({ItemOutcome.REDIRECTED, ItemOutcome.SITEMAP})
    result_names = ("sources",)

    def open_worker(self, lane: str, database: Any) -> "AbstractAsyncContextManager[HostWorker]":
        # Lazy: the parsers take more than a second to load, and only processes that fetch need them.
        from crawling.work.worker import host_worker

        return host_worker(lane, database)

    def settle(self, job: JobKey, outcomes: list[Outcome]) -> list[Outcome]:
        return store.pages_store(job, outcomes)

    def complete(self, job: JobRef) -> dict[str, Any]:
        facts: dict[str, Any] = {"sources": SourceHold.objects.filter(job_id=job.id).count()}
        if job.payload.get("auto_extract") and facts["sources"] and "extract" in kinds.names():
            child = kinds.get("extract").chain(job)
            if child is not None:
                facts["extraction_job_id"] = str(child)
        return facts

    def chain(self, parent: JobRef) -> None:
        """Do nothing: a crawl or scrape never follows another job."""


class Crawl(_Fetching):
    """Starts from one URL and follows links within its scope."""

    name = "crawl"

    def populate(self, job: JobRef) -> None:
        """Add the seeds, and robots.txt of their hosts, which names the sitemaps."""
        items = [page_item(seed, depth=0) for seed in job.payload["scope"]["seeds"]]
        if job.payload.get("use_sitemaps", True):
            items = [*_robots_items(job.payload["scope"]["seeds"]), *items]
        items_add(job.id, items)


class Scrape(_Fetching):
    """Fetches exactly the URLs given, redirects included."""

    name = "scrape"

    def populate(self, job: JobRef) -> None:
        """Add one item per URL."""
        items_add(job.id, [page_item(url, depth=0) for url in job.payload["urls"]])


def _robots_items(seeds: list[str]) -> list[NewItem]:
    parts = [urlsplit(seed) for seed in seeds]
    return [robots_item(origin) for origin in dict.fromkeys(f"{part.scheme}://{part.netloc}" for part in parts)]
