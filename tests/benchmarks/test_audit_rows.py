"""What the audit bench fills in is in step, and what it plants is what an audit finds, all over the place."""

import pytest

from config.benches.audit.rows import GONE_POINTS, KINDS, STRANGERS, faults_plant, points_fill, row_id, rows_fill
from extraction.audit.compare import audit
from extraction.models import Extraction, Passage, VectorChange
from extraction.vectors.drain import drain_vectors
from tests.helpers.knowledge import TrippingStore, all_ids, changes

pytestmark = pytest.mark.django_db(transaction=True)
LAST = 450


def test_what_is_planted_is_found_and_repaired(store: TrippingStore) -> None:
    for first, last in ((1, 120), (121, LAST)):  # as the bench does: a part, then the rest
        rows_fill(first, last)
        points_fill(first, last)
        receipt = audit()
        assert (receipt.rows, receipt.points, receipt.waiting) == (2 * last, 2 * last, 0)
        assert (receipt.rows_without_points, receipt.points_without_rows) == (0, 0)
    rows = {row_id(kind, number) for kind in KINDS for number in range(1, LAST + 1)}
    assert set(all_ids(store)) == rows
    assert {*Passage.objects.values_list("pk", flat=True), *Extraction.objects.values_list("pk", flat=True)} == rows
    faults_plant(LAST)
    points = set(all_ids(store))
    assert (len(rows - points), len(points - rows)) == (GONE_POINTS, STRANGERS)
    for odd in (rows - points, points - rows):
        for kind in KINDS:
            of_kind = sorted(id for id in odd if id.hex.startswith(KINDS[kind]))
            assert row_id(kind, LAST // 10) > of_kind[0] and of_kind[-1] > row_id(kind, LAST * 9 // 10)
    found = audit(fix=True)
    assert (found.rows_without_points, found.points_without_rows) == (GONE_POINTS, STRANGERS)
    drain_vectors()
    assert changes() == {} and VectorChange.objects.count() == 0
    assert set(all_ids(store)) == rows
