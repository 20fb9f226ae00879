"""Jobs that really made something: pages, passages, extractions and their points, settled as workers settle them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from crawling.models import Source, SourceContent, SourceHold
from crawling.web.fetch import Fetched
from crawling.work.items import page_item
from crawling.work.parse_page import reply_read
from extraction.cascade.cascade import GroupResult
from extraction.models import AuditRequest, Extraction, Passage, SchemaVersion, VectorChange
from extraction.vectors import process_store
from extraction.vectors.drain import drain_vectors
from extraction.work.store import ExtractionWrite
from jobs.control import end, removal, removal_work
from jobs.control.submit import job_submit
from jobs.ledger import settle
from jobs.ledger.claims import items_claim
from jobs.ledger.items import items_add
from jobs.ledger.moves import job_start
from jobs.models import Job, JobEvent, Lane, Project, WorkItem
from jobs.postgres.transactions import retried
from jobs.registry import kinds
from jobs.registry.kinds import Claim, Outcome
from jobs.states import ItemState, JobStatus
from tests.helpers.factories import status_fields

HOST = "http://h.test"


def crawled(project: Project, *paths: str, text: str = "", ends: bool = True) -> Job:
    """Return a crawl that fetched these pages, completed unless told otherwise. Without `text` each page differs."""
    job = Job.objects.create(project=project, kind="crawl", payload={"source_group": "g"})
    Job.objects.filter(pk=job.pk).update(**status_fields(JobStatus.RUNNING))
    retried(lambda: items_add(job.pk, [page_item(HOST + path, depth=0) for path in paths]))
    settled(job, [page(claim, text=text) for claim in claims_of(job)])
    return ended(job) if ends else job


def page(claim: Claim, *, text: str = "") -> Outcome:
    """Return the outcome of fetching the claim's URL."""
    path = claim.key.removeprefix(HOST)
    words = text or f"The probe at {path} measures how much water the river carries there."
    body = f'<html lang="en"><head><title>{path}</title></head><body><h1>{path}</h1><p>{words}</p></body></html>'
    reply = Fetched(url=claim.key, status=200, body=body.encode(), content_type="text/html")
    return kinds.done(claim, write=reply_read(reply, source_group="g", follow=None).write)


def extracted(project: Project, source_ids: Iterable[UUID], *, groups: Sequence[str] = ("product",)) -> Job:
    """Return a completed extraction that found one entity of each group in each of these sources."""
    version, _ = SchemaVersion.objects.get_or_create(project=project, number=1, defaults={"schema": {}})
    wanted = [str(source_id) for source_id in source_ids]
    payload = {"schema_version_id": version.pk, "schema_number": 1, "source_ids": wanted, "force": True}
    job_id = job_submit(kind="extract", project_id=project.pk, payload=payload)
    job_start([job_id])
    job = Job.objects.get(pk=job_id)
    hashes = dict(Source.objects.values_list("pk", "content_hash"))
    is_whole = tuple(groups) == ("product",)

    def found(claim: Claim) -> Outcome:
        source_id = UUID(claim.key)
        results = tuple(GroupResult(group, 0, {"name": f"Probe {claim.key[:8]}"}, {}, 0.9) for group in groups)
        write = ExtractionWrite(source_id, hashes[source_id], version.pk, 1, tuple(groups), is_whole, results)
        return kinds.done(claim, write=write)

    settled(job, [found(claim) for claim in claims_of(job)])
    return ended(job)


def claims_of(job: Job) -> list[Claim]:
    """Claim everything the job has."""
    lanes = Lane.objects.filter(items__job=job, items__state=ItemState.PENDING.value).order_by("key").distinct()
    return [claim for lane in lanes for claim in items_claim(lane.pk, 10_000)]


def settled(job: Job, outcomes: Sequence[Outcome]) -> None:
    """Settle, demanding that everything was written."""
    written = settle.outcomes_settle(job.pk, outcomes).written
    assert written == len(outcomes)


def ended(job: Job) -> Job:
    """End the job and return it as it now stands."""
    assert end.job_end_if_done(job.pk) is JobStatus.COMPLETED
    job.refresh_from_db()
    return job


def source_ids(project: Project) -> dict[str, UUID]:
    """Return path → id of the project's sources."""
    rows = Source.objects.filter(project=project).values_list("url", "pk")
    return {url.removeprefix(HOST): pk for url, pk in rows}


def vectors_caught_up() -> None:
    """Bring every point into the store."""
    AuditRequest.objects.all().delete()  # emptying the tables between tests asked for some
    assert not drain_vectors().unavailable
    assert not VectorChange.objects.exists()


def points(*jobs: Job) -> int:
    """Return how many points the store itself holds, of these jobs or of all."""
    return process_store.store().count(job_ids=[job.pk for job in jobs] or None)


def rows_left() -> dict[str, int]:
    """Return how much there is of everything a job makes."""
    kinds_of_rows = {"holds": SourceHold, "sources": Source, "contents": SourceContent}
    kinds_of_rows |= {"passages": Passage, "extractions": Extraction}
    return {name: model.objects.count() for name, model in kinds_of_rows.items()}


def cleaned_up(job: Job) -> dict[str, tuple[int, int, int]]:
    """Ask for the job's cleanup, carry it out and return its receipt: (found, deleted, kept_shared) by kind."""
    removal.job_cleanup(job_id=job.pk, actor="ada", reason="no longer needed")
    assert removal_work.removal_finish(job.pk)
    return receipt(job)


def receipt(job: Job) -> dict[str, tuple[int, int, int]]:
    """Return the receipt on the job's row, or that of its history when the row is gone."""
    counts = Job.objects.filter(pk=job.pk).values_list("removal", flat=True).first()
    if counts is None:
        counts = JobEvent.objects.values_list("counts", flat=True).get(job_id=job.pk, action="deleted")
    return {kind: (one["found"], one["deleted"], one["kept_shared"]) for kind, one in counts.items()}


def is_gone(job: Job) -> bool:
    """True if neither the job nor any of its items is left."""
    return not Job.objects.filter(pk=job.pk).exists() and not WorkItem.objects.filter(job_id=job.pk).exists()
