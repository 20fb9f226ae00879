"""Hybrid search: the store ranks, PostgreSQL answers.

Dense and BM25 results are over-fetched, fused by a z-score sum and read from PostgreSQL, where every
restriction is checked again: a deleted row, a row of another project or a value without evidence is
never shown, however far the store is behind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np

from extraction.models import VectorChange
from extraction.search.fusion import zscore_sum
from extraction.search.rows import SearchHit, hits_read
from extraction.states import PointKind
from extraction.vectors import bm25, process_store
from extraction.vectors.apply import OUTAGES
from extraction.vectors.embedding import Embedder, EmbedderRejected
from extraction.vectors.stores.base import Hit, SearchFilter, StoreRejected, VectorStore, conditions
from jobs.errors import Invalid, Unavailable

MAX_LIMIT = 100
MAX_QUERY_CHARACTERS = 2000
FETCH_FACTOR = 3
MIN_FETCHED = 100
"""Fetched from each list: enough for the mean and deviation of the scores, and to make up for stale points."""

MAX_LAG_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class SearchResults:
    """The best hits. total: how many of those fetched are there and satisfy the filter, at least `len(hits)`."""

    hits: list[SearchHit]
    total: int
    query: str
    warnings: list[str] = field(default_factory=list)


def search(
    *,
    project_id: UUID,
    query: str,
    limit: int = 10,
    source_groups: Sequence[str] = (),
    field_groups: Sequence[str] = (),
    languages: Sequence[str] = (),
    kinds: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
    store: VectorStore | None = None,
    embedder: Embedder | None = None,
) -> SearchResults:
    """Return the extractions and passages of a project that best match `query`.

    limit: 1 to 100. kinds: `extraction`, `passage`. Each sequence means "any of"; empty restricts nothing.
    data: field → value, a list of values, or an object of such, of an extraction's grounded fields.
    Raises: Invalid, Unavailable when the store or the embedder does not answer.
    """
    words = _checked_query(query)
    _check_limit(limit)
    _check_kinds(kinds)
    wanted = SearchFilter(
        project_id=project_id,
        kinds=tuple(kinds),
        source_groups=tuple(source_groups),
        field_groups=tuple(field_groups),
        languages=tuple(languages),
        data=dict(data or {}),
    )
    _check_filter(wanted)
    fetched = max(MIN_FETCHED, FETCH_FACTOR * limit)
    ranked, warnings = _ranked(words, wanted, fetched, store, embedder)
    hits = hits_read(ranked, wanted, query=words)
    return SearchResults(hits[:limit], len(hits), query, warnings + _lag_warnings())


def _ranked(
    query: str, wanted: SearchFilter, fetched: int, store: VectorStore | None, embedder: Embedder | None
) -> tuple[list[Hit], list[str]]:
    try:
        store = store or process_store.store()
        embedder = embedder or process_store.embedder()
        vector = embedder.embed_query(query)
        sparse = bm25.query_vector(query)
        if not np.any(vector):  # nothing the embedder knows: the distance to it would say nothing
            if not sparse.indices:
                return [], ["The query contains no words to search for; use letters or digits."]
            return store.search_sparse(sparse.indices, sparse.values, limit=fetched, filter=wanted), []
        dense_hits, sparse_hits = store.search_both(vector, sparse.indices, sparse.values, limit=fetched, filter=wanted)
    except OUTAGES as error:
        raise Unavailable(f"Search is not available: {error.detail}") from error
    except (StoreRejected, EmbedderRejected) as error:
        raise Unavailable(f"Search failed: {error.detail}") from error
    return zscore_sum(dense_hits, sparse_hits, limit=2 * fetched), []


def _checked_query(query: str) -> str:
    words = " ".join(query.replace("\x00", " ").split())
    if not words:
        raise Invalid("The query is empty; write what you are looking for.", code="empty_query")
    if len(words) > MAX_QUERY_CHARACTERS:
        raise Invalid(
            f"The query has {len(words)} characters; shorten it to at most {MAX_QUERY_CHARACTERS}.",
            code="query_too_long",
        )
    return words


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"limit is {limit}; choose a number from 1 to {MAX_LIMIT}.", code="bad_limit")


def _check_kinds(kinds: Sequence[str]) -> None:
    unknown = sorted(set(kinds) - set(PointKind))
    if unknown:
        detail = f"There is no kind {unknown[0]!r}; use 'extraction', 'passage' or both."
        raise Invalid(detail, code="bad_kind")


def _check_filter(wanted: SearchFilter) -> None:
    try:
        conditions(wanted)
    except StoreRejected as error:
        raise Invalid(error.detail, code="bad_filter") from error


def _lag_warnings() -> list[str]:
    """Return a sentence when the index is behind; counting stops early, since the outbox may be long."""
    waiting = len(VectorChange.objects.order_by().values_list("point_id")[: MAX_LAG_COUNTED + 1])
    if not waiting:
        return []
    count = f"{waiting:,}" if waiting <= MAX_LAG_COUNTED else f"more than {MAX_LAG_COUNTED:,}"
    noun = "change" if waiting == 1 else "changes"
    return [f"The search index is {count} {noun} behind; the newest content may be missing for a moment."]
