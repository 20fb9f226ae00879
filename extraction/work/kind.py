"""The kind `extract`: one item per source, in a few numbered lanes."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from crawling.models import Source
from extraction.models import Extraction
from extraction.schema.versions import schema_current
from extraction.states import ItemOutcome
from extraction.vectors.chore import drain_wake
from extraction.work.store import ExtractionWrite, extractions_store, hashes_lock
from jobs.control.submit import job_submit
from jobs.ledger.counts import items_count
from jobs.ledger.items import items_add
from jobs.models import Job, Project
from jobs.postgres.chunks import id_chunks
from jobs.postgres.id_arrays import IdArray
from jobs.registry.kinds import JobKey, JobRef, Kind, NewItem, Outcome
from jobs.states import ItemState, Reason

if TYPE_CHECKING:  # see `open_worker`
    from extraction.work.worker import SourceWorker

LANES = 4


class Extract(Kind):
    """Extracts typed values with evidence from stored sources."""

    name = "extract"
    family = "extract"
    items_name = "sources"
    result_names = ("sources", "extractions")

    def populate(self, job: JobRef) -> None:
        """Add one item per source that the payload selects."""
        for ids in id_chunks(sources_selected(job.project_id, job.payload)):
            items_add(job.id, [source_item(source_id) for source_id in ids])

    def open_worker(self, lane: str, database: Any) -> "AbstractAsyncContextManager[SourceWorker]":
        from extraction.work.worker import source_worker  # its parsers take a second to load; only workers need them

        return source_worker(lane, database)

    def settle(self, job: JobKey, outcomes: list[Outcome]) -> list[Outcome]:
        writes = [outcome.write for outcome in outcomes if isinstance(outcome.write, ExtractionWrite)]
        hashes = hashes_lock([write.source_id for write in writes])
        current = [write for write in writes if hashes.get(write.source_id) == write.content_hash]
        extractions_store(job, current)
        drain_wake()
        return [_decided(outcome, hashes) for outcome in outcomes]

    def complete(self, job: JobRef) -> dict[str, Any]:
        """Return how much was found; when nothing was, the reason and what is possible all the same."""
        outcomes = items_count(job.id).outcomes
        facts: dict[str, Any] = {"extractions": Extraction.objects.filter(job_id=job.id).count()}
        empty = outcomes.get(ItemOutcome.EMPTY, 0)
        if empty:
            llm = "no LLM configured; " if not settings.QUARRY.llm_base_url else ""
            pages = "1 page" if empty == 1 else f"{empty:,} pages"
            facts["note"] = f"{llm}nothing was extracted from {pages}; the text is searchable"
        return facts

    def chain(self, parent: JobRef) -> UUID | None:
        """Create the extraction that follows a crawl or scrape; None if nothing it holds needs one."""
        if not Project.objects.filter(pk=parent.project_id, is_active=True).exists():
            return None
        version = schema_current(parent.project_id)
        payload = {
            "schema_version_id": version.pk,
            "schema_number": version.number,
            "held_by": str(parent.id),
            "source_group": parent.payload.get("source_group", ""),
        }
        if not sources_selected(parent.project_id, payload).exists():
            return None
        label = str(parent.payload.get("url") or parent.payload.get("source_group", ""))
        # A retried crawl completes a second time; its first extraction keeps its place.
        parent_id = None if Job.objects.filter(parent_id=parent.id).exists() else parent.id
        return job_submit(
            kind=self.name, project_id=parent.project_id, payload=payload, label=label, parent_id=parent_id
        )


def source_item(source_id: UUID) -> NewItem:
    """Return the item that extracts from the source."""
    return NewItem(key=str(source_id), lane=f"extract:{source_id.int % LANES}")


def sources_selected(project_id: UUID, payload: dict[str, Any]) -> QuerySet[Source]:
    """Return the sources that a payload selects; without `force` only those not yet done with its schema."""
    rows = Source.objects.filter(project_id=project_id, content__isnull=False, gone_at__isnull=True)
    if payload.get("held_by"):
        rows = rows.filter(holds__job_id=payload["held_by"])
    if payload.get("source_ids"):
        rows = rows.filter(pk__any=IdArray(UUID(source_id) for source_id in payload["source_ids"]))
    if payload.get("source_groups"):
        rows = rows.filter(source_group__in=payload["source_groups"])
    if not payload.get("force"):
        stale = Q(extracted_version__isnull=True) | ~Q(extracted_version=payload["schema_number"])
        rows = rows.filter(stale)
    return rows


def _decided(outcome: Outcome, hashes: dict[UUID, str]) -> Outcome:
    write = outcome.write
    if not isinstance(write, ExtractionWrite):
        return outcome
    if write.source_id not in hashes:
        return outcome.turned(ItemState.SKIPPED, Reason.SOURCE_GONE.value)
    if hashes[write.source_id] != write.content_hash:  # fetched anew meanwhile: read it again
        again = outcome.turned(ItemState.PENDING)
        return replace(again, retry_after_seconds=0.0)
    return outcome
