"""The page of a job stays short, whatever the job holds."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from jobs.models import Job, JobEvent, WorkItem
from jobs.staff import cells
from jobs.staff.jobs import EVENTS_SHOWN, FAILURES_SHOWN
from tests.helpers.staff import EVERYTHING, LIST, staff

pytestmark = pytest.mark.django_db
MakeJob = Callable[..., Job]


@pytest.fixture
def everything(db: None) -> Client:
    """A member of staff who may do everything to jobs."""
    return staff(*EVERYTHING)


def test_some_failures_and_the_latest_events_are_shown(everything: Client, make_job: MakeJob) -> None:
    job = make_job(FAILURES_SHOWN + 1)
    WorkItem.objects.filter(job=job).update(state="failed", reason="dns", finished_at=timezone.now())
    JobEvent.objects.bulk_create(JobEvent(job_id=job.pk, action=f"n{n}") for n in range(EVENTS_SHOWN + 1))
    page = everything.get(f"{LIST}{job.pk}/change/").context_data
    assert len(page["failures"]) == FAILURES_SHOWN
    assert [event.action for event in page["events"]] == [f"n{n}" for n in range(EVENTS_SHOWN, 0, -1)]


def test_a_long_document_is_shown_up_to_its_limit() -> None:
    rest = len('<pre class="json">""</pre>') - len('""')
    fits = "x" * (cells.SHOWN_CHARACTERS - len('""'))
    for text in (fits, fits + "x", fits * 3):
        assert len(cells.pretty(text).replace("&quot;", '"')) == cells.SHOWN_CHARACTERS + rest
