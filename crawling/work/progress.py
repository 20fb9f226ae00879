"""How far a crawl is: counts over the items of the ledger that are pages."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from crawling.models import SourceHold
from crawling.states import ItemOutcome
from crawling.work.items import SITEMAP_KEY
from jobs.models import Job
from jobs.states import ItemState, Reason

_GROUPS = """
    SELECT state, reason, outcome, count(*) FROM jobs_workitem
    WHERE job_id = %s AND NOT starts_with(key, %s) GROUP BY state, reason, outcome
"""


@dataclass(frozen=True, slots=True)
class CrawlProgress:
    """Numbers of pages and sources of one crawl.

    pages_total: done, claimed and pending pages, at most the job's limit, and failed ones.

    pages_completed: done ones. urls_discovered: every URL in scope. urls_relevant: less the irrelevant.
    sources: what the job holds.
    """

    pages_total: int
    pages_completed: int
    urls_discovered: int
    urls_relevant: int
    sources: int


def crawl_progress(job: Job) -> CrawlProgress:
    """Return how far a crawl is."""
    states: dict[str, int] = {}
    redirected = irrelevant = 0
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS, [job.pk, SITEMAP_KEY])
        for state, reason, outcome, number in cursor.fetchall():
            states[state] = states.get(state, 0) + number
            redirected += number if outcome == ItemOutcome.REDIRECTED else 0
            irrelevant += number if reason == Reason.IRRELEVANT else 0
    discovered = sum(states.values())
    completed = states.get(ItemState.DONE.value, 0) - redirected
    fetched = completed + states.get(ItemState.CLAIMED.value, 0) + states.get(ItemState.PENDING.value, 0)
    if job.page_limit is not None:
        fetched = min(fetched, job.page_limit)
    return CrawlProgress(
        pages_total=fetched + states.get(ItemState.FAILED.value, 0),
        pages_completed=completed,
        urls_discovered=discovered,
        urls_relevant=discovered - irrelevant,
        sources=sources_held(job.pk),
    )


def sources_held(job_id: UUID) -> int:
    """Return how many sources a job holds, which is how many its cleanup would go through."""
    return SourceHold.objects.filter(job_id=job_id).count()
