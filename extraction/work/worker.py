"""Extracting from stored sources: the cascade on each, off the event loop."""

import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from crawling.models import SourceContent
from extraction.cascade.cascade import GroupResult, Note, run_cascade
from extraction.cascade.extractors.base import Extractor
from extraction.cascade.extractors.schema_org import SchemaOrg
from extraction.cascade.extractors.selectors import Selectors
from extraction.cascade.product.markup import ProductMarkup
from extraction.evidence.page import PageInput
from extraction.models import SchemaVersion
from extraction.schema.model import ExtractionSchema
from extraction.states import ItemOutcome
from extraction.work.store import ExtractionWrite
from jobs.errors import QuarryError
from jobs.registry import kinds
from jobs.registry.kinds import Claim, JobRef, Outcome
from jobs.states import Reason
from jobs.worker.cpu import on_cpu

IN_HAND = 8
ITEM_DEADLINE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A source's content, loaded for one extraction."""

    url: str
    title: str
    language: str
    content_type: str
    charset: str  #: what the body was decoded with when it was fetched
    content_hash: str
    body: bytes
    text: str


class SourceWorker:
    """Works on the sources of one lane. See `jobs.registry.kinds.Worker`."""

    in_hand = IN_HAND
    item_deadline_seconds = ITEM_DEADLINE_SECONDS

    def __init__(self, database: Any, extractors: Sequence[Extractor]) -> None:
        self.database = database
        self.extractors = extractors
        self._schemas: dict[UUID, tuple[SchemaVersion, ExtractionSchema]] = {}
        self._pages: dict[UUID, StoredPage] = {}

    async def begin(self, job: JobRef, claims: Sequence[Claim]) -> None:
        """Load the contents of all claims in one query, and the job's schema once."""
        if job.id not in self._schemas:
            self._schemas[job.id] = await self.database(_schema_of, job)
        source_ids = [UUID(claim.key) for claim in claims]
        self._pages.update(await self.database(pages_load, source_ids))

    def on_settled(self, outcomes: Sequence[Outcome]) -> None:
        """Nothing is remembered between extractions."""

    async def work(self, job: JobRef, claim: Claim) -> Outcome:
        """Return the entities found in one source, or that it is gone, or that a service it needs does not answer."""
        source_id = UUID(claim.key)
        page = self._pages.pop(source_id, None)
        if page is None:
            return kinds.skipped(claim, Reason.SOURCE_GONE)
        version, schema = self._schemas[job.id]
        try:
            results, notes = await on_cpu(page_extract, page, schema, self.extractors)
        except QuarryError as error:
            if not error.is_temporary:
                raise
            return kinds.retryable(claim, Reason.LLM_UNAVAILABLE, detail=error.detail)
        write = ExtractionWrite(
            source_id=source_id,
            content_hash=page.content_hash,
            schema_version_id=version.pk,
            schema_number=version.number,
            groups=tuple(group.name for group in schema.field_groups),
            is_whole=not job.payload.get("field_groups"),
            results=tuple(results),
        )
        found = {
            "url": page.url,
            "extractions": len(results),
            "values": sum(len(one.data) for one in results),
        }
        if notes:
            found["dropped"] = len(notes)
        outcome = ItemOutcome.EXTRACTED if results else ItemOutcome.EMPTY
        return kinds.done(claim, outcome=outcome.value, result=found, write=write)


def page_extract(
    page: StoredPage, schema: ExtractionSchema, extractors: Sequence[Extractor]
) -> tuple[list[GroupResult], list[Note]]:
    """Return what the cascade finds in the page, and the notes on what it dropped."""
    notes: list[Note] = []
    given = PageInput(
        url=page.url,
        html=gzip.decompress(page.body),
        text=page.text,
        title=page.title,
        language=page.language,
        content_type=f"{page.content_type or 'text/html'}; charset={page.charset or 'utf-8'}",
    )
    return run_cascade(extractors, given, schema, on_note=notes.append), notes


def pages_load(source_ids: Sequence[UUID]) -> dict[UUID, StoredPage]:
    """Return the stored contents of those of the sources that exist."""
    rows = SourceContent.objects.filter(source_id__any=source_ids).values_list(
        "source_id",
        "source__url",
        "source__title",
        "source__language",
        "source__content_type",
        "charset",
        "source__content_hash",
        "body",
        "text",
    )
    return {row[0]: StoredPage(*row[1:7], bytes(row[7]), row[8]) for row in rows}


def _schema_of(job: JobRef) -> tuple[SchemaVersion, ExtractionSchema]:
    version = SchemaVersion.objects.get(pk=job.payload["schema_version_id"])
    wanted = job.payload.get("field_groups") or []
    schema = ExtractionSchema.parse(version.schema)
    if wanted:
        groups = tuple(group for group in schema.field_groups if group.name in wanted)
        schema = schema.model_copy(update={"field_groups": groups})
    return version, schema


@asynccontextmanager
async def source_worker(lane: str, database: Any) -> AsyncIterator[SourceWorker]:
    """Open the worker for one slice of an extraction lane."""
    yield SourceWorker(database, extractors())


def extractors() -> list[Extractor]:
    """Return the extractors of the cascade, the cheapest first."""
    return [SchemaOrg(), Selectors(), ProductMarkup()]
