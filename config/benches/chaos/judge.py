"""The judge: whether what DESIGN promises of ledger, sources and vectors holds, now that everything is quiet."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from config.benches.chaos.acts import Chaos, late_writes_expire
from extraction.audit.compare import audit
from extraction.vectors import process_store
from jobs.ledger.counts import items_count
from jobs.models import Job, WorkItem
from jobs.states import FINISHED_JOB, JobStatus

QUIET_SECONDS = 90.0
STANDSTILL_SECONDS = 20.0  #: longer than any retry of a page and several rounds of healing
POLL_SECONDS = 0.1

_UNFINISHED = """
    SELECT id FROM jobs_job
    WHERE status IN ('queued', 'running', 'paused', 'cancelling', 'deleting') OR delete_requested_at IS NOT NULL
       OR (cleanup_requested_at IS NOT NULL AND cleaned_at IS NULL)
    ORDER BY id
"""
_PROGRESS = """
    SELECT (SELECT array_agg((id::text, status, cleaned_at IS NULL) ORDER BY id)::text FROM jobs_job),
           (SELECT array_agg((state, number) ORDER BY state)::text
            FROM (SELECT state, count(*) AS number FROM jobs_workitem GROUP BY state) AS states),
           (SELECT count(*) FROM extraction_vectorchange), (SELECT count(*) FROM extraction_extraction)
"""


class Verdict:
    """What was found broken, each breach once, however many rounds it is looked at."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def find(self, promise: str, number: int, sentence: str) -> None:
        """Remember so many breaches of a promise, if any."""
        if number:
            self._numbers[promise, sentence] = number

    def number(self, promise: str) -> int:
        """Return how many breaches of the promise were found."""
        return sum(number for (kind, _), number in self._numbers.items() if kind == promise)

    @property
    def findings(self) -> list[str]:
        """The breaches as sentences."""
        return [f"{promise}: {sentence}" for promise, sentence in self._numbers]


def quiet_await(chaos: Chaos) -> bool:
    """Return True once no job and no vector change is left to work on; False if nothing moves any more.

    Paused jobs are resumed. Healing is left to the server.
    """
    deadline = time.monotonic() + QUIET_SECONDS
    before, moved_at = None, time.monotonic()
    while time.monotonic() < min(deadline, moved_at + STANDSTILL_SECONDS):
        for job_id in Job.objects.filter(status=JobStatus.PAUSED.value).values_list("pk", flat=True):
            chaos.server.ask("POST", f"/jobs/{job_id}/resume", {})
        late_writes_expire(chaos)
        if not _rows(_UNFINISHED) and not _number("SELECT count(*) FROM extraction_vectorchange"):
            return True
        now = _rows(_PROGRESS)
        if now != before:
            before, moved_at = now, time.monotonic()
        time.sleep(POLL_SECONDS)
    return False


def judge(chaos: Chaos, verdict: Verdict) -> None:
    """Add to `verdict` what is broken. The server must have stopped: the audit opens the store itself."""
    stuck = [str(row[0]) for row in _rows(_UNFINISHED)]
    verdict.find("stuck", len(stuck), f"jobs that do not end: {stuck[:3]}")
    waiting = _number("SELECT count(*) FROM extraction_vectorchange")
    verdict.find("stuck", waiting, f"{waiting} vector changes were never applied")
    for job in Job.objects.order_by("pk").defer("payload"):
        _judge_ledger(verdict, job)
        if job.kind == "crawl" and job.status == JobStatus.COMPLETED and job.page_limit is None:
            known = set(WorkItem.objects.filter(job_id=job.pk).values_list("key", flat=True))
            missing = sorted(chaos.site.urls - known)
            verdict.find("lost", len(missing), f"crawl {job.pk} never knew {missing[:3]}")
    for promise, sentence, statement in _PROMISES:
        number = _number(statement)
        verdict.find(promise, number, f"{number} {sentence}")
    _judge_store(verdict)


def _judge_ledger(verdict: Verdict, job: Job) -> None:
    """Compare a job's frozen counts with its ledger, and look for items that are in no final state."""
    states = items_count(job.pk).states
    open_items = states.get("claimed", 0) + states.get("pending", 0)
    if job.status not in FINISHED_JOB:
        return
    verdict.find("stuck", open_items, f"job {job.pk} is {job.status} with {states}")
    frozen = (job.result or {}).get("counts", {})
    differing = sum(abs(frozen.get(state, 0) - states.get(state, 0)) for state in {*frozen, *states})
    verdict.find("lost", differing, f"job {job.pk} says {frozen}, its ledger {states}")


def _judge_store(verdict: Verdict) -> None:
    """Compare rows and points, and look for points of jobs that are gone or cleaned up."""
    try:
        receipt = audit()
        removed = _removed_jobs()
        stored = process_store.store().count(job_ids=removed) if removed else 0
    finally:
        process_store.close()
    verdict.find("lost", receipt.rows_without_points, f"{receipt.rows_without_points} rows have no point")
    verdict.find("orphans", receipt.points_without_rows, f"{receipt.points_without_rows} points have no row")
    verdict.find("orphans", stored, f"{stored} points are of jobs that were cleaned up or deleted")


def _removed_jobs() -> Sequence[UUID]:
    return [
        row[0]
        for row in _rows(
            "SELECT DISTINCT job_id FROM jobs_jobevent e WHERE action IN ('cleaned', 'deleted')"
            " AND NOT EXISTS (SELECT 1 FROM jobs_job j WHERE j.id = e.job_id AND j.cleaned_at IS NULL)"
        )
    ]


#: promise, what is counted, statement
_PROMISES = (
    (
        "lost",
        "done pages whose source their job does not hold",
        """SELECT count(*) FROM jobs_workitem w
           JOIN jobs_job j ON j.id = w.job_id AND j.kind IN ('crawl', 'scrape') AND j.cleaned_at IS NULL
           WHERE w.state = 'done' AND w.outcome NOT IN ('redirected', 'sitemap') AND NOT EXISTS (
                SELECT 1 FROM crawling_source s JOIN crawling_sourcehold h ON h.source_id = s.id
                WHERE h.job_id = w.job_id AND s.project_id = j.project_id AND s.url = w.key)""",
    ),
    (
        "lost",
        "sources without their content",
        "SELECT count(*) FROM crawling_source s"
        " WHERE NOT EXISTS (SELECT 1 FROM crawling_sourcecontent c WHERE c.source_id = s.id)",
    ),
    (
        "lost",
        "final items without the reason they should have, or with one they should not",
        "SELECT count(*) FROM jobs_workitem WHERE (state IN ('failed', 'skipped')) = (reason = '')",
    ),
    (
        "duplicated",
        "sources stored more than once",
        "SELECT count(*) - count(DISTINCT (project_id, url)) FROM crawling_source",
    ),
    (
        "duplicated",
        "items that a job has more than once",
        "SELECT count(*) - count(DISTINCT (job_id, key)) FROM jobs_workitem",
    ),
    (
        "duplicated",
        "passages stored more than once",
        'SELECT count(*) - count(DISTINCT (source_id, start, "end")) FROM extraction_passage',
    ),
    (
        "duplicated",
        "extractions chained more than once",
        "SELECT count(parent_id) - count(DISTINCT parent_id) FROM jobs_job",
    ),
    (
        "orphans",
        "sources that neither a job nor the project keeps",
        "SELECT count(*) FROM crawling_source s WHERE adopted_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM crawling_sourcehold h WHERE h.source_id = s.id)",
    ),
    (
        "orphans",
        "holds, extractions and items of jobs that were cleaned up or are gone",
        """SELECT (SELECT count(*) FROM crawling_sourcehold h JOIN jobs_job j ON j.id = h.job_id
                   WHERE j.cleaned_at IS NOT NULL)
                + (SELECT count(*) FROM extraction_extraction e JOIN jobs_job j ON j.id = e.job_id
                   WHERE j.cleaned_at IS NOT NULL)
                + (SELECT count(*) FROM jobs_workitem w WHERE NOT EXISTS (
                   SELECT 1 FROM jobs_job j WHERE j.id = w.job_id))""",
    ),
)


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _number(statement: str) -> int:
    return int(_rows(statement)[0][0])
