"""The log tells each event of a job once, with the numbers of its history, and only what was committed."""

import logging
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.db import transaction

from jobs.control import end
from jobs.control.cancel import job_cancel
from jobs.ledger import settle
from jobs.models import Job, JobEvent
from jobs.registry import kinds
from jobs.states import Reason
from tests.helpers.factories import claimed

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[Job], list[Any]]:
    """Return a function that gives the log's records on one job."""
    caplog.set_level(logging.INFO)
    return lambda job: [record for record in caplog.records if getattr(record, "job_id", None) == str(job.pk)]


def test_a_cancel_and_its_end_are_told_with_how_much_was_skipped(
    make_job: MakeJob, told: Callable[[Job], list[Any]]
) -> None:
    job = make_job(5)
    claims = claimed(2)
    job_cancel(job_id=job.pk, actor="ada", reason="wrong site")
    skipped = [kinds.skipped(claims[0], Reason.CANCELLED), kinds.done(claims[1])]
    settle.outcomes_settle(job.pk, skipped)
    end.job_end_if_done(job.pk)
    cancel, cancelled = told(job)
    assert (cancel.message, cancel.counts, cancel.actor, cancel.reason) == (
        "job_cancel",
        {"skipped": 3},
        "ada",
        "wrong site",
    )
    assert (cancelled.message, cancelled.to_status) == ("job_cancelled", "cancelled")
    assert cancelled.counts["reasons"] == {"cancelled": 4}
    job.refresh_from_db()
    assert cancelled.counts == job.result == JobEvent.objects.get(job=job, action="cancelled").counts


def test_what_is_rolled_back_is_not_told(make_job: MakeJob, told: Callable[[Job], list[Any]]) -> None:
    job = make_job(2)
    with transaction.atomic():
        job_cancel(job_id=job.pk)
        transaction.set_rollback(True)
    assert told(job) == []


@pytest.mark.parametrize(("is_terminal", "level"), [(True, logging.WARNING), (False, logging.NOTSET)])
def test_who_watches_at_a_terminal_sees_the_progress_and_not_the_log(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, level: int
) -> None:
    handler = logging.StreamHandler(StringIO())
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    call_command("jobs", stdout=StringIO())
    assert handler.level == level


@pytest.mark.parametrize("name", ["up", "mcp"])
def test_what_runs_for_good_shows_its_log(name: str) -> None:
    assert load_command_class(get_commands()[name], name).is_service
