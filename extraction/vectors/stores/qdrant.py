"""The vector store on a Qdrant server or cluster, over its REST interface."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import httpx
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

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
    StoreRejected,
    StoreUnavailable,
    Vector,
    check_points,
    collection_name,
    conditions,
    plain_vector,
)

WRITE_BATCH_POINTS = 500
# Statuses that blame the content of a request; every other 4xx blames the set-up and may pass later.
CONTENT_STATUSES = frozenset({400, 409, 413, 422})

R = TypeVar("R")


class QdrantStore:
    """The vector store of the distributed profile. Every write waits until it is applied."""

    def __init__(
        self,
        client: QdrantClient,
        *,
        embedder: str,
        dimension: int,
        timeout_seconds: float = 10.0,
        prefix: str = "quarry",
    ) -> None:
        """Use `client`; nothing is sent before the first call.

        prefix: collections `<prefix>_…` belong to this installation, and an audit may empty them. Two
        installations on one server need two prefixes.
        """
        self.timeout_seconds = timeout_seconds
        self._client = client
        self._dimension = dimension
        self._prefix = f"{prefix}_"
        self._name = collection_name(embedder, dimension, prefix=prefix)
        self._is_ready = False

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        embedder: str,
        dimension: int,
        api_key: str | None = None,
        timeout_seconds: float = 10.0,
        prefix: str = "quarry",
    ) -> "QdrantStore":
        """Return a store on the server at `url`. timeout_seconds: of each request, in whole seconds."""
        timeout = max(1, -int(-timeout_seconds // 1))
        client = QdrantClient(url=url, api_key=api_key, timeout=timeout, check_compatibility=False)
        return cls(client, embedder=embedder, dimension=dimension, timeout_seconds=timeout, prefix=prefix)

    def upsert(self, points: Sequence[Point]) -> None:
        """Write the points and return when they are durable and searchable. Raises: StoreRejected."""
        check_points(points, self._dimension)
        self._ensure_collection()
        for start in range(0, len(points), WRITE_BATCH_POINTS):
            batch = points[start : start + WRITE_BATCH_POINTS]
            ids = [point.id for point in batch]
            structs = [_struct(point) for point in batch]
            self._send(self._client.upsert, self._name, structs, wait=True, ids=ids)
            for name in self._collections():
                if name != self._name:
                    self._delete_from(name, ids)

    def delete(self, ids: Sequence[UUID]) -> None:
        """Delete the points from every collection and return when they are gone; unknown ids are fine."""
        for name in self._collections() if ids else ():
            for start in range(0, len(ids), WRITE_BATCH_POINTS):
                self._delete_from(name, ids[start : start + WRITE_BATCH_POINTS])

    def count(self, *, job_ids: Sequence[UUID] | None = None, project_id: UUID | None = None) -> int:
        """Return the exact number of points, over every collection, of these jobs and this project."""
        if job_ids is not None and not job_ids:
            return 0
        wanted = _filter(conditions(SearchFilter(project_id=project_id, job_ids=job_ids or ())))
        return sum(
            self._send(self._client.count, name, count_filter=wanted, exact=True).count for name in self._collections()
        )

    def existing(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return which of the ids are in the collection that is searched."""
        if not ids:
            return set()
        self._ensure_collection()
        records = self._send(
            self._client.retrieve, self._name, [str(id) for id in ids], with_payload=False, with_vectors=False
        )
        return {UUID(str(record.id)) for record in records}

    def scroll_ids(self, after: UUID | None, limit: int) -> list[UUID]:
        """Return the next `limit` ids above `after`, ascending, over every collection."""
        if after is not None and after.int == 2**128 - 1:
            return []
        first = str(UUID(int=after.int + 1)) if after is not None else None
        found: set[UUID] = set()
        for name in self._collections():
            records, _ = self._send(
                self._client.scroll, name, limit=limit, offset=first, with_payload=False, with_vectors=False
            )
            found.update(UUID(str(record.id)) for record in records)
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
        """Return (dense hits, sparse hits) of one round trip."""
        if not indices:
            return self.search_dense(vector, limit=limit, filter=filter), []
        dense, sparse = self._search([_dense_query(vector), _sparse_query(indices, values)], limit, filter)
        return dense, sparse

    def close(self) -> None:
        """Close the connections; repeating it is harmless."""
        self._client.close()

    def _search(self, queries: list[tuple[models.Query, str]], limit: int, filter: SearchFilter) -> list[list[Hit]]:
        wanted = _filter(conditions(filter))
        self._ensure_collection()
        requests = [
            models.QueryRequest(query=query, using=using, limit=limit, filter=wanted) for query, using in queries
        ]
        answers = self._send(self._client.query_batch_points, self._name, requests)
        return [[Hit(UUID(str(point.id)), point.score) for point in answer.points] for answer in answers]

    def _delete_from(self, name: str, ids: Sequence[UUID]) -> None:
        selector = models.PointIdsList(points=[str(id) for id in ids])
        self._send(self._client.delete, name, selector, wait=True)

    def _collections(self) -> list[str]:
        """Return our collections; asked each time, since another worker may run with another embedder."""
        answer = self._send(self._client.get_collections)
        return sorted(item.name for item in answer.collections if item.name.startswith(self._prefix))

    def _ensure_collection(self) -> None:
        """Create the collection and its payload indexes; both may be repeated and raced."""
        if self._is_ready:
            return
        if not self._send(self._client.collection_exists, self._name):
            try:
                self._create_collection()
            except StoreRejected:
                # Another worker was faster; anything else shows again as a collection that is not there.
                if not self._send(self._client.collection_exists, self._name):
                    raise
        keyword = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD)
        uuid = models.UuidIndexParams(type=models.UuidIndexType.UUID)
        tenant = models.UuidIndexParams(type=models.UuidIndexType.UUID, is_tenant=True)
        schemas = dict.fromkeys(UUID_FIELDS, uuid) | {"project_id": tenant}
        for field, schema in (schemas | dict.fromkeys(KEYWORD_FIELDS, keyword)).items():
            self._send(self._client.create_payload_index, self._name, field, schema, wait=True)
        self._is_ready = True

    def _create_collection(self) -> None:
        self._send(
            self._client.create_collection,
            self._name,
            vectors_config={DENSE: models.VectorParams(size=self._dimension, distance=models.Distance.COSINE)},
            sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )

    def _send(self, call: Callable[..., R], *args: object, ids: Sequence[UUID] = (), **options: object) -> R:
        """Return the server's answer. Raises: StoreUnavailable, StoreRejected (with `ids`)."""
        try:
            return call(*args, **options)
        except UnexpectedResponse as error:
            status = error.status_code or 0
            if status in CONTENT_STATUSES:
                raise StoreRejected(f"Qdrant refuses the request ({status}): {_said(error)}", ids) from error
            self._is_ready = self._is_ready and status != 404
            raise StoreUnavailable(
                f"Qdrant answers with status {status}: {_said(error)}. Check QDRANT_URL and the server's log."
            ) from error
        except (TypeError, ValueError) as error:
            raise StoreRejected(f"The request cannot be written as JSON: {error}", ids) from error
        except (ApiException, QdrantException, httpx.HTTPError, OSError) as error:
            raise StoreUnavailable(
                f"Qdrant does not answer ({error}). Check QDRANT_URL and that the server is running."
            ) from error


def _said(error: UnexpectedResponse) -> str:
    return error.content.decode("utf-8", "replace")[:300] or error.reason_phrase


def _struct(point: Point) -> models.PointStruct:
    sparse = models.SparseVector(indices=list(point.sparse_indices), values=list(point.sparse_values))
    vector: Any = {DENSE: plain_vector(point.dense), SPARSE: sparse}
    return models.PointStruct(id=str(point.id), vector=vector, payload=dict(point.payload))


def _dense_query(vector: Vector) -> tuple[models.Query, str]:
    return models.NearestQuery(nearest=plain_vector(vector)), DENSE


def _sparse_query(indices: Sequence[int], values: Sequence[float]) -> tuple[models.Query, str]:
    return models.NearestQuery(nearest=models.SparseVector(indices=list(indices), values=list(values))), SPARSE


def _filter(wanted: list[Condition]) -> models.Filter | None:
    return models.Filter(must=[_condition(condition) for condition in wanted]) if wanted else None


def _condition(condition: Condition) -> models.Condition:
    key, values = condition.key, condition.values
    if len(values) == 1:
        return _equals(key, values[0])
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) == len(values):
        return models.FieldCondition(key=key, match=models.MatchAny(any=texts))
    return models.Filter(should=[_equals(key, value) for value in values])


def _equals(key: str, value: Scalar) -> models.Condition:
    if value is None:
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))
    if isinstance(value, str | bool):
        return models.FieldCondition(key=key, match=models.MatchValue(value=value))
    return models.FieldCondition(key=key, range=models.Range(gte=float(value), lte=float(value)))
