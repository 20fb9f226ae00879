"""A confirmation is good for an hour and for one page of jobs; what it says of refusals stays short."""

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.core import signing
from django.test import Client

from jobs.models import Job
from jobs.staff import confirmed_actions
from jobs.staff.confirmed_actions import FROZEN_SECONDS, MAX_REASON_CHARACTERS, MAX_SELECTED, SHOWN_REFUSALS
from jobs.staff.jobs import JobAdmin
from jobs.states import JobStatus
from tests.helpers.factories import status_of
from tests.helpers.staff import ACT, EVERYTHING, LIST, choose, confirm, frozen, staff

pytestmark = pytest.mark.django_db
MakeJob = Callable[..., Job]


@pytest.fixture
def everything(db: None) -> Client:
    """A member of staff who may do everything to jobs."""
    return staff(*EVERYTHING)


def test_a_confirmation_older_than_an_hour_is_refused(
    everything: Client, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers that were shown may long be wrong."""
    job = make_job(2)
    token = frozen(choose(everything, "pause", job))

    def shown_seconds_ago(seconds: float) -> None:
        monkeypatch.setattr(signing, "time", SimpleNamespace(time=lambda: time.time() + seconds))

    shown_seconds_ago(FROZEN_SECONDS + 1)
    said = confirm(everything, "pause", token)
    assert said == ["This confirmation has expired or belongs to another user; choose again. Nothing was changed."]
    assert status_of(job) == "running"
    shown_seconds_ago(FROZEN_SECONDS / 2)
    assert confirm(everything, "pause", token) == ["Pause: 1 job."]
    assert status_of(job) == "paused"


def test_the_longest_reason_is_kept_and_a_longer_one_refused(everything: Client, make_job: MakeJob) -> None:
    job = make_job(2)
    form = {"do": "pause", "frozen": frozen(choose(everything, "pause", job))}
    longest = "x" * MAX_REASON_CHARACTERS
    assert everything.post(ACT, form | {"reason": longest + "x"}).status_code == 422
    assert status_of(job) == "running"
    assert everything.post(ACT, form | {"reason": longest}).status_code == 302
    assert job.events.get(action="pause").reason == longest


def test_more_rows_than_fit_one_confirmation_are_refused(everything: Client, make_job: MakeJob) -> None:
    assert JobAdmin.max_selected == MAX_SELECTED
    job = make_job()
    fields = {"project_id": job.project_id, "kind": job.kind, "status": "queued"}
    Job.objects.bulk_create(Job(**fields) for _ in range(MAX_SELECTED))
    refused = choose(everything, "cancel", job, across=True)
    assert refused.status_code == 302
    said = [str(message) for message in everything.get(LIST).context["messages"]]
    assert said[0].startswith(f"At most {MAX_SELECTED:,} jobs can be confirmed at once; ")
    Job.objects.filter(pk=job.pk).delete()
    assert choose(everything, "cancel", job, across=True).context_data["number"] == MAX_SELECTED


def test_of_many_refusals_only_some_are_told_and_the_rest_counted(everything: Client, make_job: MakeJob) -> None:
    jobs = [make_job(0, status=JobStatus.COMPLETED, label=f"job {n}") for n in range(SHOWN_REFUSALS + 3)]
    said = confirm(everything, "cancel", frozen(choose(everything, "cancel", *jobs)))
    assert said[0] == f"Cancel: refused for {len(jobs)} of {len(jobs)}."
    assert len([text for text in said if text.startswith("“job ")]) == confirmed_actions.SHOWN_REFUSALS
    assert said[-1] == "… and 3 more refusals."
