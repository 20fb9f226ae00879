"""What Quarry asks of a vector store, and the errors it may answer with.

A point lives in exactly one collection: that of the embedder in use when it was last written. Writing it
again with another embedder moves it, so counts stay exact while a change of embedder re-indexes.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from jobs.errors import Invalid, QuarryError, Unavailable

DENSE = "dense"
SPARSE = "bm25"
UUID_FIELDS = ("project_id", "job_id")
KEYWORD_FIELDS = ("kind", "source_group", "field_group", "language")
"""Indexed payload fields; a payload also holds `data`, the JSON that `SearchFilter.data` looks into."""

Scalar: TypeAlias = str | int | float | bool | None
Vector: TypeAlias = NDArray[np.float32] | Sequence[float]


class StoreError(QuarryError):
    """Root of everything a vector store answers with instead of a result."""

    code = "store_error"


class StoreUnavailable(StoreError, Unavailable):
    """The store does not answer, or not in time; the same call may succeed later."""

    code = "store_unavailable"


class StoreBusy(StoreUnavailable):
    """Another process has the embedded store open."""

    code = "store_busy"


class StoreRejected(StoreError, Invalid):
    """The store refuses this content; the same call will always fail.

    ids: the batch that was refused, every point of it a suspect (halve it to find the culprit).
    """

    code = "store_rejected"

    def __init__(self, detail: str, ids: Sequence[UUID] = ()) -> None:
        super().__init__(detail)
        self.ids = tuple(ids)


@dataclass(frozen=True, slots=True)
class Point:
    """One searchable row: `id` is the row's id, `dense` float[dimension], payload as listed above."""

    id: UUID
    dense: Vector
    sparse_indices: Sequence[int]
    sparse_values: Sequence[float]
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """Restrictions that must all hold; an empty one restricts nothing.

    Each sequence means "any of". data: field → value, or list of values of which one must match; a field
    that holds a list matches when one of its entries does; None matches a missing or null field; numbers
    compare by value (5 matches 5.0).
    """

    project_id: UUID | None = None
    kinds: Sequence[str] = ()
    source_groups: Sequence[str] = ()
    field_groups: Sequence[str] = ()
    languages: Sequence[str] = ()
    job_ids: Sequence[UUID] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """A found point; a higher score is better, scores of different searches do not compare."""

    id: UUID
    score: float


@dataclass(frozen=True, slots=True)
class Condition:
    """`key` (a JSON path into the payload) holds any of these values; all of one type."""

    key: str
    values: tuple[Scalar, ...]


class VectorStore(Protocol):
    """A replica of the searchable rows. Every method may raise StoreUnavailable; safe from any thread."""

    timeout_seconds: float

    def upsert(self, points: Sequence[Point]) -> None:
        """Write the points and return when they are durable and searchable. Raises: StoreRejected."""

    def delete(self, ids: Sequence[UUID]) -> None:
        """Delete the points from every collection and return when they are gone; unknown ids are fine."""

    def count(self, *, job_ids: Sequence[UUID] | None = None, project_id: UUID | None = None) -> int:
        """Return the exact number of points, over every collection, of these jobs and this project."""

    def existing(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return which of the ids are in the collection that is searched."""

    def scroll_ids(self, after: UUID | None, limit: int) -> list[UUID]:
        """Return the next `limit` ids above `after`, ascending, over every collection."""

    def search_dense(self, vector: Vector, *, limit: int, filter: SearchFilter) -> list[Hit]:
        """Return the nearest points by cosine, best first."""

    def search_sparse(
        self, indices: Sequence[int], values: Sequence[float], *, limit: int, filter: SearchFilter
    ) -> list[Hit]:
        """Return the points with the highest BM25 score, best first, where a token is shared."""

    def search_both(
        self,
        vector: Vector,
        indices: Sequence[int],
        values: Sequence[float],
        *,
        limit: int,
        filter: SearchFilter,
    ) -> tuple[list[Hit], list[Hit]]:
        """Return (dense hits, sparse hits) of one round trip."""

    def close(self) -> None:
        """Release the store; repeating it is harmless."""


def collection_name(embedder: str, dimension: int, *, prefix: str = "quarry") -> str:
    """Return the collection `<prefix>_<embedder>_<dimension>`, safe in a path and in a URL."""
    slug = re.sub(r"[^a-z0-9]+", "-", embedder.casefold()).strip("-") or "embedder"
    return f"{prefix}_{slug}_{dimension}"


def check_points(points: Sequence[Point], dimension: int) -> None:
    """Check shapes and numbers before anything is sent, so that the culprits are named.

    Raises: StoreRejected with the ids of the malformed points only.
    """
    bad = [point.id for point in points if not _is_well_formed(point, dimension)]
    if bad:
        raise StoreRejected(
            f"{len(bad)} points do not fit: each needs {dimension} finite numbers, distinct 32-bit sparse "
            "indices with as many finite values, and a JSON payload. Embed them again with the embedder of "
            "this collection.",
            bad,
        )


def _is_well_formed(point: Point, dimension: int) -> bool:
    dense = np.asarray(point.dense, dtype=np.float32)
    values = np.asarray(point.sparse_values, dtype=np.float32)
    indices = point.sparse_indices
    return (
        dense.shape == (dimension,)
        and bool(np.isfinite(dense).all() and np.isfinite(values).all())
        and len(set(indices)) == len(indices) == len(values)
        and all(0 <= index < 2**32 for index in indices)
        and _is_json(point.payload)
    )


def _is_json(payload: Mapping[str, Any]) -> bool:
    try:
        json.dumps(payload, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def plain_vector(vector: Vector) -> list[float]:
    """Return the vector as a list of Python floats, as both client libraries expect it."""
    return [float(value) for value in np.asarray(vector, dtype=np.float32)]


def conditions(filter: SearchFilter) -> list[Condition]:
    """Return the filter as conditions that must all hold.

    Raises: StoreRejected for a data filter that no payload can be asked for.
    """
    wanted: list[tuple[str, Sequence[Scalar]]] = [
        ("project_id", [str(filter.project_id)] if filter.project_id else []),
        ("job_id", [str(job_id) for job_id in filter.job_ids]),
        ("kind", filter.kinds),
        ("source_group", filter.source_groups),
        ("field_group", filter.field_groups),
        ("language", filter.languages),
    ]
    found = [Condition(key, tuple(values)) for key, values in wanted if values]
    return found + list(_data_conditions("data", filter.data))


def _data_conditions(path: str, data: Mapping[str, Any]) -> Iterator[Condition]:
    for name, value in data.items():
        if not name or '"' in name:
            raise StoreRejected(f"{name!r} is not a field name to filter by; use a field of the schema.")
        key = f'{path}."{name}"'
        if isinstance(value, Mapping):
            yield from _data_conditions(key, value)
            continue
        values = tuple(value) if isinstance(value, list | tuple) else (value,)
        if not all(_is_filterable(entry) for entry in values):
            raise StoreRejected(
                f"Field {name!r} is filtered by something other than text, a finite number, true, false or "
                "null; write a plain value or a list of plain values."
            )
        if values:
            yield Condition(key, values)


def _is_filterable(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)
