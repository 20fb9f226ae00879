"""CHECK constraints refuse rows that no code may ever write."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs.models import Job, WorkItem
from jobs.states import JobStatus

pytestmark = pytest.mark.django_db

NOW = timezone.now()
LEASE = uuid4()

BAD_ITEMS: list[tuple[str, dict[str, Any]]] = [
    ("item_state_known", {"state": "resting"}),
    ("item_finished_at_matches", {"state": "done"}),
    ("item_finished_at_matches", {"state": "failed", "reason": "timeout"}),
    ("item_finished_at_matches", {"state": "pending", "finished_at": NOW}),
    (
        "item_finished_at_matches",
        {"state": "claimed", "lease": LEASE, "lease_until": NOW, "finished_at": NOW},
    ),
    ("item_reason_explains", {"state": "skipped", "finished_at": NOW}),
    ("item_reason_explains", {"state": "failed", "finished_at": NOW}),
    ("item_reason_explains", {"state": "failed", "finished_at": NOW, "reason": "bad_luck"}),
    ("item_reason_explains", {"state": "done", "finished_at": NOW, "reason": "timeout"}),
    ("item_reason_explains", {"state": "pending", "reason": "timeout"}),
    ("item_lease_iff_claimed", {"state": "claimed"}),
    ("item_lease_iff_claimed", {"state": "claimed", "lease": LEASE}),
    ("item_lease_iff_claimed", {"state": "claimed", "lease_until": NOW}),
    ("item_lease_iff_claimed", {"state": "pending", "lease": LEASE}),
    ("item_lease_iff_claimed", {"state": "done", "finished_at": NOW, "lease": LEASE, "lease_until": NOW}),
]

BAD_JOBS: list[tuple[str, dict[str, Any]]] = [
    ("job_status_known", {"status": "resting"}),
    ("job_end_matches_status", {"status": "completed", "completed_at": NOW}),
    ("job_end_matches_status", {"status": "completed", "result": {}}),
    ("job_end_matches_status", {"status": "cancelled", "completed_at": NOW}),
    ("job_end_matches_status", {"status": "failed", "result": {}}),
    ("job_end_matches_status", {"status": "running", "completed_at": NOW}),
    ("job_end_matches_status", {"status": "queued", "completed_at": NOW}),
    ("job_cancelling_has_intent", {"status": "cancelling"}),
    ("job_cleaned_is_finished", {"status": "running", "cleaned_at": NOW}),
]


@pytest.mark.parametrize(("constraint", "fields"), BAD_ITEMS)
def test_an_impossible_item_is_refused(make_job: Callable[..., Job], constraint: str, fields: dict[str, Any]) -> None:
    job = make_job(1)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        WorkItem.objects.filter(job=job).update(**fields)


@pytest.mark.parametrize(("constraint", "fields"), BAD_JOBS)
def test_an_impossible_job_is_refused(make_job: Callable[..., Job], constraint: str, fields: dict[str, Any]) -> None:
    job = make_job()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**fields)


@pytest.mark.parametrize("status", JobStatus)
def test_every_status_has_a_possible_row(make_job: Callable[..., Job], status: JobStatus) -> None:
    assert make_job(status=status).status == status


def test_a_key_is_unique_within_its_job_only(make_job: Callable[..., Job]) -> None:
    job, other = make_job(1), make_job(1)
    row = WorkItem.objects.get(job=job)
    row.pk = None
    with pytest.raises(IntegrityError, match="item_once_per_job"), transaction.atomic():
        row.save(force_insert=True)
    assert WorkItem.objects.filter(key="item-0").count() == 2
    assert other.pk != job.pk


def test_a_job_has_at_most_one_child(make_job: Callable[..., Job]) -> None:
    parent = make_job()
    make_job(parent=parent)
    with pytest.raises(IntegrityError, match="job_one_child_per_parent"), transaction.atomic():
        make_job(parent=parent)
    assert parent.children.count() == 1
