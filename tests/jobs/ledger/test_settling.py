"""Writing what became of claims: the retry policy, values PostgreSQL refuses, results that cannot be written."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from jobs.ledger import settle
from jobs.ledger.moves import job_lock
from jobs.ledger.settle import BACKOFF_SECONDS, MAX_ATTEMPTS, MAX_WAIT_SECONDS, outcomes_settle
from jobs.models import KEY_MAX_CHARACTERS, Job, Project, WorkItem
from jobs.postgres.text import storable, storable_text
from jobs.registry import kinds
from jobs.registry.kinds import NewItem, Outcome
from jobs.states import JobStatus, Reason
from tests.helpers.factories import Probe, claimed, item, states

pytestmark = pytest.mark.django_db
MakeJob = Callable[..., Job]


def seconds_until_due(job: Job) -> float:
    """Return in how many seconds the item is due, by the clock of the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXTRACT(EPOCH FROM not_before - clock_timestamp()) FROM jobs_workitem WHERE job_id = %s",
            [job.pk],
        )
        return float(cursor.fetchone()[0])


def due_now(job: Job) -> None:
    WorkItem.objects.filter(job=job).update(not_before=timezone.now() - timedelta(seconds=1))


def test_a_done_item_keeps_its_result_and_adds_what_it_found(make_job: MakeJob) -> None:
    job = make_job(1)
    (claim,) = claimed()
    found = [NewItem("b", "probe:1", 2), NewItem("c", "probe:1", 1), NewItem("b", "probe:1", 1)]
    settled = outcomes_settle(job.pk, [kinds.done(claim, outcome="new", result={"links": 2}, new_items=found)])
    assert (settled.written, settled.lost) == (1, ())
    row = item(job)
    assert (row.state, row.outcome, row.reason, row.result) == ("done", "new", "", {"links": 2})
    assert row.finished_at is not None
    assert [claim.key for claim in claimed()] == ["b", "c"]
    assert item(job, "b").rank == 1


def test_a_failure_is_tried_again_until_enough(make_job: MakeJob) -> None:
    job = make_job(1)
    for attempt in range(1, MAX_ATTEMPTS):
        (claim,) = claimed()
        outcomes_settle(job.pk, [kinds.retryable(claim, Reason.TIMEOUT, detail="slow")])
        row = item(job)
        assert (row.state, row.attempts, row.reason, row.finished_at) == ("pending", attempt, "", None)
        pause = BACKOFF_SECONDS * 2 ** (attempt - 1)
        assert 0.75 * pause - 1 < seconds_until_due(job) <= 1.25 * pause
        assert claimed() == []
        due_now(job)
    (claim,) = claimed()
    outcomes_settle(job.pk, [kinds.retryable(claim, Reason.TIMEOUT, detail="slow")])
    row = item(job)
    assert (row.state, row.attempts, row.reason) == ("failed", MAX_ATTEMPTS, "timeout")
    assert (row.result, row.not_before) == ({"detail": "slow"}, None)


def test_the_back_off_is_jittered(make_job: MakeJob) -> None:
    job = make_job(40)
    outcomes_settle(job.pk, [kinds.retryable(claim, Reason.DNS, detail="?") for claim in claimed()])
    dues = set(WorkItem.objects.filter(job=job).values_list("not_before", flat=True))
    spread = max(dues) - min(dues)
    assert len(dues) == 40
    assert spread > timedelta(seconds=BACKOFF_SECONDS * 0.2)


def test_a_snooze_waits_without_burning_an_attempt(make_job: MakeJob) -> None:
    job = make_job(1)
    (claim,) = claimed()
    outcomes_settle(job.pk, [kinds.snoozed(claim, Reason.HTTP_5XX, after_seconds=120.0, detail="later")])
    row = item(job)
    assert (row.state, row.attempts, row.waited_seconds, row.reason) == ("pending", 0, 120, "")
    assert 115 < seconds_until_due(job) <= 120


def test_snoozing_ends_when_the_total_wait_is_used_up(make_job: MakeJob) -> None:
    job = make_job(1)
    for waited in (2000, 3600):
        (claim,) = claimed()
        wait = 2000.0 if waited == 2000 else 1600.0
        outcomes_settle(job.pk, [kinds.snoozed(claim, Reason.HTTP_5XX, after_seconds=wait, detail="later")])
        assert item(job).waited_seconds == waited == min(waited, MAX_WAIT_SECONDS)
        due_now(job)
    (claim,) = claimed()
    outcomes_settle(job.pk, [kinds.snoozed(claim, Reason.HTTP_5XX, after_seconds=1.0, detail="later")])
    row = item(job)
    assert (row.state, row.reason, row.attempts) == ("failed", "http_5xx", 0)


@pytest.mark.parametrize("after_seconds", [0.0, 0.4, -5.0])
def test_a_snooze_of_no_time_is_counted_and_waits_all_the_same(make_job: MakeJob, after_seconds: float) -> None:
    """Otherwise a host that says `Retry-After: 0` is asked for ever."""
    job = make_job(1)
    (claim,) = claimed()
    later = kinds.snoozed(claim, Reason.HTTP_5XX, after_seconds=after_seconds, detail="later")
    outcomes_settle(job.pk, [later])
    assert item(job).waited_seconds == 1
    assert 0 < seconds_until_due(job) <= 1


def test_cancelling_turns_pending_into_skipped(make_job: MakeJob) -> None:
    job = make_job(2)
    claims = claimed()
    Job.objects.filter(pk=job.pk).update(status="cancelling", cancel_requested_at=timezone.now())
    outcomes_settle(
        job.pk,
        [
            kinds.retryable(claims[0], Reason.TIMEOUT, detail="slow"),
            kinds.snoozed(claims[1], Reason.HTTP_5XX, after_seconds=9, detail="later"),
        ],
    )
    rows = WorkItem.objects.filter(job=job).values_list("state", "reason", "not_before")
    assert set(rows) == {("skipped", "cancelled", None)}


def test_finished_results_of_a_cancelling_job_are_kept_but_it_no_longer_grows(make_job: MakeJob) -> None:
    job = make_job(1)
    (claim,) = claimed()
    Job.objects.filter(pk=job.pk).update(status="cancelling", cancel_requested_at=timezone.now())
    outcomes_settle(job.pk, [kinds.done(claim, new_items=[NewItem("late", "probe:1")])])
    assert states(job) == {"done": 1}


@pytest.mark.parametrize("status", JobStatus)
def test_only_a_living_job_takes_results(make_job: MakeJob, probe: Probe, status: JobStatus) -> None:
    job = make_job(1)
    (claim,) = claimed()
    wrote: list[Outcome] = []
    probe.on_settle = lambda ref, outcomes: wrote.extend(outcomes) or outcomes
    fields: dict[str, Any] = {"cancel_requested_at": timezone.now()} if status == "cancelling" else {}
    if status in (JobStatus.CANCELLED, JobStatus.COMPLETED, JobStatus.FAILED):
        fields = {"completed_at": timezone.now(), "result": {}}
    Job.objects.filter(pk=job.pk).update(status=status, **fields)
    settled = outcomes_settle(job.pk, [kinds.done(claim, new_items=[NewItem("b", "probe:1")])])
    if status in (JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.CANCELLING):
        assert (settled.written, item(job).state, len(wrote)) == (1, "done", 1)
    else:
        assert (settled.written, settled.lost, item(job).state, wrote) == (0, (claim.id,), "claimed", [])
        assert states(job) == {"claimed": 1}


def test_nul_and_lone_surrogates_are_stripped_from_results(make_job: MakeJob) -> None:
    job = make_job(1)
    (claim,) = claimed()
    outcomes_settle(job.pk, [kinds.done(claim, result={"title": "a\x00b\ud800c", "k\x00": ["\x00"]})])
    row = item(job)
    assert (row.state, row.result) == ("done", {"title": "ab?c", "k": [""]})


CULPRITS: dict[str, Callable[[kinds.Claim], Outcome]] = {
    "an outcome too long for its column": lambda claim: kinds.done(claim, outcome="x" * 40),
    "a number JSON does not know": lambda claim: kinds.done(claim, result={"score": float("nan")}),
    "a value that is no JSON": lambda claim: kinds.done(claim, result={"when": timedelta(1)}),
    "a key that is too long": lambda claim: kinds.done(
        claim, new_items=[NewItem("k" * (KEY_MAX_CHARACTERS + 1), "probe:1")]
    ),
    "a key with NUL": lambda claim: kinds.done(claim, new_items=[NewItem("k\x00", "probe:1")]),
    "a rank that is no 32-bit number": lambda claim: kinds.done(claim, new_items=[NewItem("k", "probe:1", rank=2**40)]),
}


@pytest.mark.parametrize("culprit", CULPRITS)
def test_a_refused_value_fails_alone(make_job: MakeJob, culprit: str) -> None:
    job = make_job(5)
    claims = claimed()
    outcomes = [kinds.done(claim, result={"n": place}) for place, claim in enumerate(claims)]
    outcomes[2] = CULPRITS[culprit](claims[2])
    settled = outcomes_settle(job.pk, outcomes)
    assert (settled.written, settled.lost) == (5, ())
    assert states(job) == {"done": 4, "failed": 1}
    row = item(job, "item-2")
    assert (row.state, row.reason) == ("failed", "internal")
    assert row.result["detail"].startswith("The result could not be stored: ")


def test_a_result_that_its_kind_cannot_write_fails_alone(make_job: MakeJob, probe: Probe) -> None:
    """Nothing of the culprit's writes stays; the others' do."""
    job = make_job(3)

    def write(ref: kinds.JobRef, outcomes: list[Outcome]) -> list[Outcome]:
        for outcome in outcomes:
            if outcome.write:
                Project.objects.create(name=outcome.write)
            if outcome.write == "second":
                raise LookupError("no such\nthing")
        return outcomes

    probe.on_settle = write
    names = ["first", "second", "third"]
    outcomes_settle(job.pk, [kinds.done(claim, write=name) for claim, name in zip(claimed(), names, strict=True)])
    assert states(job) == {"done": 2, "failed": 1}
    assert set(Project.objects.values_list("name", flat=True)) == {"Instruments", "first", "third"}
    assert item(job, "item-1").result["detail"] == "The result could not be stored: LookupError: no such"


def test_an_outage_is_raised_and_blamed_on_no_item(make_job: MakeJob, probe: Probe) -> None:
    job = make_job(2)
    claims = claimed()
    outages = [1, 2]  # the batch, and its first item if it were tried alone

    def write(ref: kinds.JobRef, outcomes: list[Outcome]) -> list[Outcome]:
        if outages:
            outages.pop()
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = '1ms'")
                cursor.execute("SELECT pg_sleep(1)")
        return outcomes

    probe.on_settle = write
    with pytest.raises(settle.OperationalError), transaction.atomic():
        outcomes_settle(job.pk, [kinds.done(claim) for claim in claims])
    assert states(job) == {"claimed": 2}


def test_a_kind_may_send_an_item_back(make_job: MakeJob, probe: Probe) -> None:
    """As extraction does when the source changed under it."""
    job = make_job(1)
    probe.on_settle = lambda ref, outcomes: [
        outcome.turned(kinds.ItemState.PENDING, "source_gone") for outcome in outcomes
    ]
    outcomes_settle(job.pk, [kinds.done(claimed()[0])])
    row = item(job)
    assert (row.state, row.reason, row.attempts, row.not_before) == ("pending", "", 0, None)


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_storable_text_is_always_storable(text: str) -> None:
    stored = storable_text(text)
    stored.encode()
    assert "\x00" not in stored
    assert storable_text(stored) == stored
    if text.isprintable():
        assert stored == text


def test_storable_keeps_what_is_no_text() -> None:
    assert storable({"a": 1, "b": [True, None, 2.5], 3: ("x",)}) == {"a": 1, "b": [True, None, 2.5], "3": ["x"]}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("told", "is_then"), [("off", "on"), ("on", "on"), ("local", "local")])
def test_what_is_written_under_a_jobs_lock_waits_for_the_disk(make_job: MakeJob, told: str, is_then: str) -> None:
    """Workers remember which URLs their job has: a commit that a crash takes back would leave some out for ever."""
    job = make_job(1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('synchronous_commit', %s, false)", [told])
        with transaction.atomic():
            assert job_lock(job.pk) is not None
            assert shown(cursor) == is_then
        assert shown(cursor) == told
        cursor.execute("RESET synchronous_commit")


def shown(cursor: Any) -> str:
    cursor.execute("SHOW synchronous_commit")
    return str(cursor.fetchone()[0])
