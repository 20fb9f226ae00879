from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.search.fusion import zscore_sum
from extraction.vectors.stores.base import Hit

scores = st.floats(-1e6, 1e6)
hit_lists = st.dictionaries(st.integers(0, 40), scores, max_size=30).map(
    lambda found: sorted((Hit(UUID(int=key), score) for key, score in found.items()), key=lambda hit: -hit.score)
)


def hits(**named: float) -> list[Hit]:
    return [Hit(UUID(int=int(name[1:])), score) for name, score in named.items()]


def numbers(found: list[Hit]) -> list[int]:
    return [hit.id.int for hit in found]


def test_sums_the_z_scores_of_both_lists():
    fused = zscore_sum(hits(p1=3, p2=2, p3=1), hits(p2=30, p1=20, p4=10), limit=10)
    deviation = (2 / 3) ** 0.5
    expected = {1: 1 / deviation, 2: 1 / deviation, 3: -2 / deviation, 4: -2 / deviation}
    assert numbers(fused) == [1, 2, 3, 4]
    assert {hit.id.int: hit.score for hit in fused} == pytest.approx(expected)


def test_a_missing_hit_counts_as_the_lists_last():
    fused = {hit.id.int: hit.score for hit in zscore_sum(hits(p1=2, p2=0), hits(p3=4, p1=0), limit=10)}
    assert fused == pytest.approx({1: 0, 2: -2, 3: 0})


def test_a_list_of_equal_scores_does_not_decide():
    assert numbers(zscore_sum(hits(p1=5, p2=5, p3=5), hits(p3=2, p2=1), limit=10)) == [3, 1, 2]


def test_one_hit_each():
    assert numbers(zscore_sum(hits(p9=1), hits(p3=1), limit=10)) == [3, 9]


def test_an_empty_list_leaves_the_others_order():
    assert numbers(zscore_sum(hits(p9=3, p1=2, p5=1), [], limit=2)) == [9, 1]
    assert numbers(zscore_sum([], hits(p9=3, p1=2), limit=2)) == [9, 1]
    assert zscore_sum([], [], limit=5) == []


@given(hit_lists, hit_lists, st.integers(0, 60))
def test_properties(dense, sparse, limit):
    fused = zscore_sum(dense, sparse, limit=limit)
    union = {hit.id for hit in dense} | {hit.id for hit in sparse}
    assert len(fused) == min(limit, len(union))
    assert {hit.id for hit in fused} <= union
    assert [(-hit.score, hit.id) for hit in fused] == sorted((-hit.score, hit.id) for hit in fused)
    assert fused == zscore_sum(list(reversed(dense)), list(reversed(sparse)), limit=limit)


@given(hit_lists.filter(lambda found: len(found) > 1), st.floats(0.01, 100), st.floats(-1000, 1000))
def test_scale_and_offset_of_a_list_do_not_matter(found, scale, offset):
    whole = [Hit(hit.id, float(round(hit.score))) for hit in found]
    moved = [Hit(hit.id, hit.score * scale + offset) for hit in whole]
    before = {hit.id: hit.score for hit in zscore_sum(whole, [], limit=99)}
    after = {hit.id: hit.score for hit in zscore_sum(moved, [], limit=99)}
    assert after == pytest.approx(before, abs=1e-4)
