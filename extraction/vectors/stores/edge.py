"""Qdrant Edge: the vector store inside this process, one folder per collection.

Measured with version 0.9: no call releases the GIL, so a search of 50,000 points (5 ms) or a write of 200
points (15 ms) stops every thread for that long. Hence small write batches, and no call of
`optimize()`, which froze all threads for 26 s at 60,000 points. Writes go through the shard's write-ahead log
and survive a `kill -9` once the call has returned.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

import numpy as np
import qdrant_edge as edge

from extraction.vectors.stores.base import (
    DENSE,
    KEYWORD_FIELDS,
    SPARSE,
    UUID_FIELDS,
    Condition,
    Hit,
    Point,
    Scalar,
    SearchFilter,
    StoreBusy,
    StoreRejected,
    StoreUnavailable,
    Vector,
    check_points,
    collection_name,
    conditions,
    plain_vector,
)

WRITE_BATCH_POINTS = 200
FLUSH_EVERY_POINTS = 5_000
"""A flush (75 ms at 50,000 points) cuts the log, which bounds its size and the opening after a crash."""

P = ParamSpec("P")
R = TypeVar("R")


class EdgeStore:
    """The vector store of the embedded profile. Only one process may have a folder open."""

    def __init__(self, path: Path, *, embedder: str, dimension: int, timeout_seconds: float = 10.0) -> None:
        """Open or create the shard of this embedder under `path`.

        timeout_seconds: the longest that a write is expected to take. Raises: StoreBusy, StoreUnavailable.
        """
        self.timeout_seconds = timeout_seconds
        self._dimension = dimension
        self._write_lock = RLock()
        self._unflushed_points = 0
        self._lock_file = _lock_folder(path)
        try:
            self._name = collection_name(embedder, dimension)
            self._current = _open_shard(path / self._name, dimension)
            self._others = list(_open_others(path, self._name))
        except BaseException:
            os.close(self._lock_file)
            raise
        self._is_closed = False

    def upsert(self, points: Sequence[Point]) -> None:
        """Write the points and return when they are durable and searchable. Raises: StoreRejected."""
        check_points(points, self._dimension)
        for start in range(0, len(points), WRITE_BATCH_POINTS):
            batch = points[start : start + WRITE_BATCH_POINTS]
            ids = [point.id for point in batch]
            operation = _guarded(ids, edge.UpdateOperation.upsert_points, _guarded(ids, _edge_points, batch))
            self._write([self._current], operation, ids)
            if self._others:
                self._write(self._others, edge.UpdateOperation.delete_points([*ids]), ids)

    def delete(self, ids: Sequence[UUID]) -> None:
        """Delete the points from every collection and return when they are gone; unknown ids are fine."""
        for start in range(0, len(ids), WRITE_BATCH_POINTS):
            batch = ids[start : start + WRITE_BATCH_POINTS]
            self._write([self._current, *self._others], edge.UpdateOperation.delete_points([*batch]), batch)

    def count(self, *, job_ids: Sequence[UUID] | None = None, project_id: UUID | None = None) -> int:
        """Return the exact number of points, over every collection, of these jobs and this project."""
        if job_ids is not None and not job_ids:
            return 0
        wanted = _edge_filter(conditions(SearchFilter(project_id=project_id, job_ids=job_ids or ())))
        request = edge.CountRequest(exact=True, filter=wanted)
        return sum(int(_guarded((), shard.count, request)) for shard in [self._current, *self._others])

    def existing(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return which of the ids are in the collection that is searched."""
        return {UUID(str(record.id)) for record in _guarded((), self._current.retrieve, list(ids), False, False)}

    def scroll_ids(self, after: UUID | None, limit: int) -> list[UUID]:
        """Return the next `limit` ids above `after`, ascending, over every collection."""
        if after is not None and after.int == 2**128 - 1:
            return []
        first = UUID(int=after.int + 1) if after is not None else None
        request = edge.ScrollRequest(offset=first, limit=limit, with_payload=False, with_vector=False)
        found = {
            UUID(str(record.id))
            for shard in [self._current, *self._others]
            for record in _guarded((), shard.scroll, request)[0]
        }
        return sorted(found)[:limit]

    def search_dense(self, vector: Vector, *, limit: int, filter: SearchFilter) -> list[Hit]:
        """Return the nearest points by cosine, best first."""
        return self._search([_dense_query(vector)], limit, filter)[0]

    def search_sparse(
        self, indices: Sequence[int], values: Sequence[float], *, limit: int, filter: SearchFilter
    ) -> list[Hit]:
        """Return the points with the highest BM25 score, best first, where a token is shared."""
        return self._search([_sparse_query(indices, values)], limit, filter)[0] if indices else []

    def search_both(
        self,
        vector: Vector,
        indices: Sequence[int],
        values: Sequence[float],
        *,
        limit: int,
        filter: SearchFilter,
    ) -> tuple[list[Hit], list[Hit]]:
        """Return (dense hits, sparse hits) of one batch."""
        if not indices:
            return self.search_dense(vector, limit=limit, filter=filter), []
        dense, sparse = self._search([_dense_query(vector), _sparse_query(indices, values)], limit, filter)
        return dense, sparse

    def close(self) -> None:
        """Flush to disk and let another process open the folder; repeating it is harmless."""
        with self._write_lock:
            if self._is_closed:
                return
            self._is_closed = True
            for shard in [self._current, *self._others]:
                _guarded((), shard.close)
            os.close(self._lock_file)

    def _write(self, shards: Iterable[Any], operation: Any, ids: Sequence[UUID]) -> None:
        with self._write_lock:
            for shard in shards:
                _guarded(ids, shard.update, operation)
            self._unflushed_points += len(ids)
            if self._unflushed_points >= FLUSH_EVERY_POINTS:
                self._unflushed_points = 0
                for shard in [self._current, *self._others]:
                    _guarded((), shard.flush)

    def _search(self, queries: list[Any], limit: int, filter: SearchFilter) -> list[list[Hit]]:
        wanted = _guarded((), _edge_filter, conditions(filter))
        requests = [edge.QueryRequest(limit=limit, query=query, filter=wanted) for query in queries]
        answers = _guarded((), self._current.query_batch, edge.QueryBatchRequest(requests))
        return [[Hit(UUID(str(point.id)), float(point.score)) for point in answer] for answer in answers]


def _guarded(ids: Sequence[UUID], call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return what `call` returns; Edge raises bare Exceptions, whose text tells a refusal from an outage."""
    try:
        return call(*args, **kwargs)
    except Exception as error:
        if isinstance(error, TypeError | ValueError) or not str(error).startswith("Service"):
            raise StoreRejected(f"Qdrant Edge refuses the request: {error}", ids) from error
        raise StoreUnavailable(f"Qdrant Edge cannot work: {error}. Restart the server.") from error


def _lock_folder(path: Path) -> int:
    """Return an open file descriptor that holds the folder's lock until it is closed or the process dies."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be used: {error.strerror}. Check its owner.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StoreBusy(
            f"Another process has the vector store in {path} open; search through that server, or stop it first."
        ) from error
    return descriptor


def _collections(path: Path) -> list[Path]:
    return sorted(folder for folder in path.glob("quarry_*") if folder.suffix != ".new")


def _open_shard(folder: Path, dimension: int) -> Any:
    """Return the shard in `folder`; a new one is renamed into place, so a crash leaves none half made."""
    if not folder.exists():
        unfinished = folder.with_name(folder.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        _create_shard(unfinished, dimension)
        unfinished.rename(folder)
    return _guarded((), edge.EdgeShard.load, str(folder))


def _create_shard(folder: Path, dimension: int) -> None:
    config = edge.EdgeConfig(
        vectors={DENSE: edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Cosine)},
        sparse_vectors={SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
    )
    shard = _guarded((), edge.EdgeShard.create, str(folder), config)
    types = dict.fromkeys(UUID_FIELDS, edge.PayloadSchemaType.Uuid)
    types |= dict.fromkeys(KEYWORD_FIELDS, edge.PayloadSchemaType.Keyword)
    for name, kind in types.items():
        _guarded((), shard.update, edge.UpdateOperation.create_field_index(name, kind))
    shard.close()


def _open_others(path: Path, current: str) -> Iterable[Any]:
    """Yield the shards of former embedders that still hold points; empty ones are removed from the disk."""
    for folder in _collections(path):
        if folder.name == current:
            continue
        shard = _guarded((), edge.EdgeShard.load, str(folder))
        if _guarded((), shard.count, edge.CountRequest(exact=True)):
            yield shard
        else:
            shard.close()
            shutil.rmtree(folder)


def _edge_points(points: Sequence[Point]) -> list[Any]:
    return [
        edge.Point(
            point.id,
            {
                DENSE: plain_vector(point.dense),
                SPARSE: edge.SparseVector(list(point.sparse_indices), list(point.sparse_values)),
            },
            dict(point.payload),
        )
        for point in points
    ]


def _dense_query(vector: Vector) -> Any:
    return edge.Query.Nearest(plain_vector(vector), using=DENSE)


def _sparse_query(indices: Sequence[int], values: Sequence[float]) -> Any:
    return edge.Query.Nearest(edge.SparseVector(list(indices), list(values)), using=SPARSE)


def _edge_filter(wanted: list[Condition]) -> Any:
    if not wanted:
        return None
    return edge.Filter(must=[_edge_condition(condition) for condition in wanted])


def _edge_condition(condition: Condition) -> Any:
    key, values = condition.key, condition.values
    if len(values) == 1:
        return _edge_equals(key, values[0])
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) == len(values):
        return edge.FieldCondition(key, match=edge.MatchAny(texts))
    return edge.Filter(should=[_edge_equals(key, value) for value in values])


def _edge_equals(key: str, value: Scalar) -> Any:
    if value is None:
        return edge.IsEmptyCondition(key)
    if isinstance(value, bool):
        # Edge 0.9 takes Python's bool for an integer, which matches no stored bool; NumPy's it takes for one.
        return edge.FieldCondition(key, match=edge.MatchValue(cast(bool, np.bool_(value))))
    if isinstance(value, str):
        return edge.FieldCondition(key, match=edge.MatchValue(value))
    return edge.FieldCondition(key, range=edge.RangeFloat(gte=float(value), lte=float(value)))
