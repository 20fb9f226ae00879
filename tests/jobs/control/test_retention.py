"""Retention: finished jobs past their time are cleaned up, a few at a time, and only when that was asked for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.control import retention
from jobs.models import Job, JobEvent
from jobs.states import ACTIVE_JOB, JobStatus
from jobs.worker import healing

pytestmark = pytest.mark.django_db
MakeJob = Callable[..., Job]


@pytest.fixture
def old(make_job: MakeJob) -> Callable[..., Job]:
    """Return a function that makes a job which ended that many days ago."""

    def make(status: JobStatus = JobStatus.COMPLETED, *, days: float = 31, **fields: Any) -> Job:
        job = make_job(status=status)
        at = timezone.now() - timedelta(days=days)
        Job.objects.filter(pk=job.pk).update(created_at=at, completed_at=None if status in ACTIVE_JOB else at, **fields)
        return job

    return make


@pytest.fixture
def thirty_days(settings: Any) -> None:
    """RETENTION_DAYS=30."""
    settings.QUARRY = replace(settings.QUARRY, retention_days=30)


def asked() -> set[Job]:
    return set(Job.objects.filter(cleanup_requested_at__isnull=False))


def test_it_is_off_by_default(old: Callable[..., Job], settings: Any) -> None:
    old(days=10_000)
    assert settings.QUARRY.retention_days == 0
    assert (healing.heal().retired, asked()) == (0, set())


def test_healing_asks_for_the_cleanup_of_old_finished_jobs(
    old: Callable[..., Job], thirty_days: None, sent: Any, django_capture_on_commit_callbacks: Any
) -> None:
    wanted = {old(status) for status in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)}
    old(days=29)
    for status in (*ACTIVE_JOB, JobStatus.DELETING):
        old(status) if status is not JobStatus.CANCELLING else old(status, cancel_requested_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        receipt = healing.heal()
    assert (receipt.retired, asked()) == (3, wanted)
    assert {("finish_removal", (str(job.pk),), None) for job in wanted} <= set(sent.messages)
    told = JobEvent.objects.filter(action="cleanup").values_list("actor", "reason").distinct().get()
    assert told == ("retention", "finished more than 30 days ago")
    assert healing.heal().retired == 0


def test_a_round_is_bounded_and_takes_the_oldest_first(
    old: Callable[..., Job], thirty_days: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    young, oldest, older = old(days=40), old(days=60), old(days=50)
    monkeypatch.setattr(retention, "MAX_RETIRED_PER_ROUND", 2)
    assert (retention.jobs_retire(), asked()) == (2, {oldest, older})
    assert (retention.jobs_retire(), asked()) == (1, {oldest, older, young})
    assert retention.jobs_retire() == 0


def test_what_was_cleaned_or_is_being_deleted_is_left_alone(old: Callable[..., Job], thirty_days: None) -> None:
    now = timezone.now()
    old(cleanup_requested_at=now)
    old(cleanup_requested_at=now, cleaned_at=now)
    old(delete_requested_at=now)
    assert (retention.jobs_retire(), JobEvent.objects.count()) == (0, 0)
