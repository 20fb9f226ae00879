"""One ranking out of the dense and the sparse result list: a sum of z-scores."""

from collections.abc import Sequence
from statistics import fmean, pstdev
from uuid import UUID

from extraction.vectors.stores.base import Hit


def zscore_sum(dense_hits: Sequence[Hit], sparse_hits: Sequence[Hit], *, limit: int) -> list[Hit]:
    """Return the best `limit` hits of both lists; a score is the sum of the hit's z-scores.

    Within a list `z = (score - mean) / standard deviation` (of the population; 0 where all scores are
    equal). A hit missing from a list counts there with that list's lowest z: it would have come after the
    last one. A list without hits says nothing. Equal sums are ordered by id. A score already seen in the
    same list is ignored.

    Source: score standardisation, Webber, Moffat and Zobel, "Score standardization for inter-collection
    comparison of retrieval systems" (2008), with CombSUM of Fox and Shaw (1994).
    """
    lists = [_zscores(hits) for hits in (dense_hits, sparse_hits) if hits]
    floors = [min(scores.values()) for scores in lists]
    ids = {hit_id for scores in lists for hit_id in scores}
    sums = {
        hit_id: sum(scores.get(hit_id, floor) for scores, floor in zip(lists, floors, strict=True)) for hit_id in ids
    }
    ranked = sorted(sums, key=lambda hit_id: (-sums[hit_id], hit_id))
    return [Hit(hit_id, sums[hit_id]) for hit_id in ranked[:limit]]


def _zscores(hits: Sequence[Hit]) -> dict[UUID, float]:
    scores: dict[UUID, float] = {}
    for hit in hits:
        scores.setdefault(hit.id, hit.score)
    mean, deviation = fmean(scores.values()), pstdev(scores.values())
    if deviation < 1e-12 * max(1.0, abs(mean)):
        return dict.fromkeys(scores, 0.0)
    return {hit_id: (score - mean) / deviation for hit_id, score in scores.items()}
