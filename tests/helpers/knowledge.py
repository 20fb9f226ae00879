"""Factories of sources, passages and extractions with real vectors, and a store the test can trip up."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils import timezone

from crawling.models import Source
from extraction.models import AuditRequest, Extraction, Passage, SchemaVersion, VectorChange
from extraction.vectors import process_store
from extraction.vectors.drain import drain_vectors
from extraction.vectors.embedding import WordLlamaEmbedder
from extraction.vectors.points import points_make, rows_load
from extraction.vectors.stores.base import Point
from extraction.vectors.stores.edge import EdgeStore
from jobs.models import Job, Project
from tests.helpers.factories import PATIENCE_SECONDS

TIMEOUT_SECONDS = 0.5  # of the store: nothing here is a server, so it only shortens leases and graces


class TrippingStore:
    """The real embedded store, with a hook before and after each write."""

    def __init__(self, store: EdgeStore) -> None:
        self._store = store
        self.before_upsert: Callable[[Sequence[Point]], None] = lambda points: None
        self.after_upsert: Callable[[Sequence[Point]], None] = lambda points: None
        self.before_delete: Callable[[Sequence[UUID]], None] = lambda ids: None
        self.upserts: list[list[UUID]] = []

    def upsert(self, points: Sequence[Point]) -> None:
        self.upserts.append([point.id for point in points])
        self.before_upsert(points)
        self._store.upsert(points)
        self.after_upsert(points)

    def delete(self, ids: Sequence[UUID]) -> None:
        self.before_delete(ids)
        self._store.delete(ids)

    def calm(self) -> None:
        """Trip up nobody from now on."""
        self.before_upsert = self.after_upsert = self.before_delete = lambda things: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@dataclass
class Knowledge:
    """A project with one running job and one source, to which rows are added."""

    project: Project
    job: Job
    source: Source
    schema: SchemaVersion

    def make_source(self, url: str, **fields: Any) -> Source:
        fields = {"project": self.project, "job": self.job, "title": "Page", "language": "en"} | fields
        return Source.objects.create(url=url, **fields)

    def passage(self, text: str = "the probe is cleaned with water", **fields: Any) -> Passage:
        return Passage.objects.create(**self._passage(text, Passage.objects.count(), fields))

    def passages(self, number: int) -> list[Passage]:
        rows = [Passage(**self._passage(f"passage number {n}", n, {})) for n in range(number)]
        return Passage.objects.bulk_create(rows)

    def _passage(self, text: str, ordinal: int, fields: dict[str, Any]) -> dict[str, Any]:
        owner = {"project": self.project, "job": self.job, "source": self.source}
        return owner | {"ordinal": ordinal, "start": 0, "end": max(1, len(text)), "text": text} | fields

    def extraction(self, data: dict[str, Any], **fields: Any) -> Extraction:
        owner = {"project": self.project, "job": self.job, "source": self.source, "schema_version": self.schema}
        facts = {
            "field_group": "product",
            "entity_index": Extraction.objects.count(),
            "data": data,
            "evidence": {name: {"quote": str(value), "confidence": 0.9} for name, value in data.items()},
            "confidence": 0.9,
            "extracted_at": timezone.now(),
        }
        return Extraction.objects.create(**(owner | facts | fields))


@contextmanager
def store_bound(folder: Path, embedder: WordLlamaEmbedder) -> Iterator[TrippingStore]:
    """Yield an empty embedded store in the folder, bound as that of the process."""
    edge = EdgeStore(folder, embedder=embedder.name, dimension=embedder.dimension, timeout_seconds=TIMEOUT_SECONDS)
    tripping = TrippingStore(edge)
    with process_store.bound(tripping, embedder):
        yield tripping
    edge.close()


def knowledge_made() -> Knowledge:
    """Return the rows of a new project; the outbox is empty."""
    project = Project.objects.create(name="Rivers")
    job = Job.objects.create(project=project, kind="crawl", status="running", started_at=timezone.now())
    schema = SchemaVersion.objects.create(project=project, number=1, schema={})
    source = Source.objects.create(
        project=project, job=job, url="https://a.test/", title="River probes", source_group="acme", language="en"
    )
    AuditRequest.objects.all().delete()  # emptying the tables between tests asked for some
    VectorChange.objects.all().delete()
    return Knowledge(project, job, source, schema)


def drain_all(store: TrippingStore) -> None:
    """Drain everything and demand that nothing is left."""
    receipt = drain_vectors()
    assert not receipt.unavailable
    assert changes() == {}
    store.upserts.clear()


def changes() -> dict[UUID, str]:
    """Return the outbox: point id → operation."""
    return dict(VectorChange.objects.values_list("point_id", "operation"))


def change(row: Any) -> VectorChange:
    """Return the change of one row."""
    return VectorChange.objects.get(pk=row.pk)


def all_ids(store: TrippingStore) -> list[UUID]:
    """Return the ids of all points in the store."""
    return list(store.scroll_ids(None, 10_000))


def time_passes(**columns: bool) -> None:
    """Let leases run out, back-offs end and graces be over: as named, or all of them."""
    past = timezone.now() - timedelta(seconds=1)
    names = [name for name, moved in columns.items() if moved] or [
        "lease_until",
        "not_before",
        "late_write_until",
    ]
    for name in names:
        VectorChange.objects.filter(**{f"{name}__isnull": False}).update(**{name: past})


def write_directly(store: TrippingStore, embedder: WordLlamaEmbedder, ids: list[UUID]) -> None:
    """Write the points of these rows past the outbox."""
    store._store.upsert(points_make(list(rows_load(ids).values()), embedder))


class Pause:
    """A hook that stops the drainer's thread until the test lets it go on."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._go = threading.Event()

    def __call__(self, things: Any) -> None:
        self._reached.set()
        assert self._go.wait(PATIENCE_SECONDS), "the test never let the drainer go on"

    def wait_reached(self) -> None:
        assert self._reached.wait(PATIENCE_SECONDS), "the drainer never came here"

    def end(self) -> None:
        self._go.set()
