"""The failures that systems of this kind are known for, one by one, and which test stands for each."""

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.db import connection, transaction

from extraction.models import VectorChange
from extraction.vectors import outbox
from extraction.vectors.drain import drain_vectors
from jobs import actors
from jobs.control import end, removal, removal_work, retry
from jobs.control.cancel import job_cancel
from jobs.errors import Conflict
from jobs.ledger import settle
from jobs.models import Job, JobEvent, Project
from jobs.registry import kinds, owners
from jobs.states import JobStatus
from jobs.worker import healing, runner
from tests.helpers.factories import Probe, claimed, lane_id, leases_run_out, states, status_of
from tests.helpers.knowledge import TrippingStore, all_ids, time_passes
from tests.helpers.made_jobs import (
    cleaned_up,
    crawled,
    extracted,
    is_gone,
    points,
    rows_left,
    source_ids,
    vectors_caught_up,
)

MakeJob = Callable[..., Job]

#: failure → the tests that stand for it, besides the tables of test_matrix_*.py; without a module: below.
STANDS_FOR = {
    "cancelling a queued job": ["test_a_cancelled_queued_job_is_never_begun"],
    "a second cancel": [
        "test_a_second_cancel_changes_no_number_and_ends_what_a_dead_worker_left",
        "jobs.ledger.test_races.test_a_claim_that_came_first_is_counted_by_the_cancel",
    ],
    "cancel against finish": [
        "jobs.control.test_races_of_jobs.test_completion_first_then_cancel",
        "jobs.control.test_races_of_jobs.test_cancel_first_then_completion",
        "jobs.control.test_races_of_jobs.test_no_url_slips_in_behind_a_cancel",
    ],
    "a delete on a running job": [
        "test_a_running_job_is_deleted_only_once_its_work_has_ended",
        "jobs.control.test_removal.test_an_active_job_is_cancelled_first_and_the_rest_happens_by_itself",
        "jobs.control.test_removal_races.test_the_actor_finishes_a_deletion_once_the_last_worker_is_out",
        "jobs.control.test_races_of_jobs.test_settle_against_deleting",
    ],
    "a crash between the database and the vector store, in either order": [
        "test_a_crash_on_either_side_of_the_vector_store_is_made_good",
        "jobs.control.test_removal_races.test_what_breaks_anywhere_is_finished_by_repeating",
        "extraction.vectors.test_outbox.test_a_crash_between_store_and_outbox_is_harmless_to_repeat",
    ],
    "re-crawl by job B, then cleanup of job A": [
        "test_pages_crawled_again_outlive_the_cleanup_of_the_first_crawl",
        "jobs.control.test_removal.test_shared_sources_are_kept_counted_and_handed_over",
        "jobs.control.test_removal.test_a_page_that_another_job_wrote_anew_stays_with_all_its_passages",
    ],
    "cleanup of an extract job": [
        "jobs.control.test_removal.test_an_extraction_takes_exactly_its_own",
        "extraction.owners.test_extraction_owner.test_a_chunk_removes_the_extractions_of_the_job_alone",
    ],
    "a source removed while its vector is being written": [
        "jobs.control.test_removal_races.test_a_point_written_late_by_a_drainer_goes_as_well",
        "extraction.vectors.test_outbox.test_a_row_deleted_between_claim_and_upsert_leaves_no_orphan",
    ],
    "retry after cleanup": [
        "test_a_job_cleaned_up_is_not_retried_and_a_new_one_begins_anew",
        "jobs.control.test_retrying.test_a_job_that_was_cleaned_up_is_not_retried",
        "jobs.api.test_api_removal.test_retry_after_or_during_a_cleanup",
    ],
    "100,000 pending items cancelled in one call": [
        "test_cancelling_100_000_pending_items_answers_long_before_they_are_all_skipped"
    ],
}


@pytest.mark.parametrize("failure", STANDS_FOR)
def test_each_has_its_tests(failure: str) -> None:
    for name in STANDS_FOR[failure]:
        module, _, function = name.rpartition(".")
        assert callable(getattr(import_module(f"tests.{module}" if module else __name__), function))


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_queued_job_is_never_begun(make_job: MakeJob, probe: Probe, sent: Any) -> None:
    """The message that was sent when it was submitted is still on its way, and comes afterwards."""
    job = make_job(3, status=JobStatus.QUEUED)
    receipt = job_cancel(job_id=job.pk, actor="ada")
    assert (receipt.status, receipt.changed, receipt.skipped, receipt.in_flight) == ("cancelled", True, 3, 0)
    assert runner.slice_run(lane_id=lane_id()) == 0
    healing.heal()
    assert (probe.started, probe.completed, status_of(job), states(job)) == ([], [], "cancelled", {"skipped": 3})
    job.refresh_from_db()
    assert (job.started_at, job.result["counts"]) == (None, {"skipped": 3})
    assert list(JobEvent.objects.filter(job=job).values_list("from_status", "to_status")) == [("queued", "cancelled")]


@pytest.mark.django_db(transaction=True)
def test_a_second_cancel_changes_no_number_and_ends_what_a_dead_worker_left(make_job: MakeJob, sent: Any) -> None:
    job = make_job(5)
    claimed(2)
    first = job_cancel(job_id=job.pk)
    second = job_cancel(job_id=job.pk)
    assert (first.changed, first.skipped, first.in_flight) == (True, 3, 2)
    assert (second.changed, second.skipped, second.in_flight, second.status) == (False, 0, 2, "cancelling")
    assert JobEvent.objects.filter(job=job, action="cancel").count() == 1
    leases_run_out(job)  # whoever had them is dead
    sent.messages.clear()
    job_cancel(job_id=job.pk)
    assert sent.messages == [("heal", (), None)]
    actors.heal.fn()
    assert (status_of(job), states(job)) == ("cancelled", {"skipped": 5})
    last = job_cancel(job_id=job.pk)
    assert (last.changed, last.status, last.skipped) == (False, "cancelled", 0)


@pytest.mark.django_db(transaction=True)
def test_a_running_job_is_deleted_only_once_its_work_has_ended(make_job: MakeJob) -> None:
    job = make_job(4)
    claims = claimed(2)
    with pytest.raises(Conflict, match="cancel it or let it finish"):
        removal.job_delete(job_id=job.pk)
    assert (status_of(job), states(job)) == ("running", {"pending": 2, "claimed": 2})
    removal.job_delete(job_id=job.pk, cleanup=True)
    assert not removal_work.removal_finish(job.pk)
    assert (status_of(job), states(job)) == ("cancelling", {"skipped": 2, "claimed": 2})
    assert settle.outcomes_settle(job.pk, [kinds.done(claim) for claim in claims]).written == 2
    end.job_end_if_done(job.pk)
    assert removal_work.removal_finish(job.pk)
    assert is_gone(job)
    deleted = JobEvent.objects.get(job_id=job.pk, action="deleted")
    assert set(deleted.counts) == set(owners.artifact_names())


class Killed(BaseException):
    """The process dies here: nothing but `finally` sees it, and that does nothing any more."""


def die(things: Any) -> None:
    raise Killed


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", ["before_upsert", "after_upsert", "before_delete", "after_delete"])
def test_a_crash_on_either_side_of_the_vector_store_is_made_good(
    project: Project,
    store: TrippingStore,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """The row is committed, or deleted, and the process dies just before, or just after, the store knows."""
    job = crawled(project, "/a")
    if moment.endswith("delete"):
        vectors_caught_up()
        removal.job_cleanup(job_id=job.pk)
    rows = rows_left()["passages"]
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "changes_release", lambda *arguments, **named: None)
        if moment == "after_delete":
            real = store.delete
            patch.setattr(store, "delete", lambda ids: (real(ids), die(ids)))
        else:
            patch.setattr(store, moment, die)
        with pytest.raises(Killed):
            drain_vectors() if moment.endswith("upsert") else removal_work.removal_finish(job.pk)
    assert points() == (rows if moment in ("after_upsert", "before_delete") else 0)
    assert VectorChange.objects.count() == rows > 0  # the outbox still knows, whatever the store knows
    assert Job.objects.get(pk=job.pk).cleaned_at is None
    time_passes()
    if moment.endswith("upsert"):
        drain_vectors()
        time_passes()
        vectors_caught_up()
        assert (points(job), len(all_ids(store))) == (rows, rows)
        return
    monkeypatch.setattr(removal_work, "CONFIRM_SECONDS", 0.2)
    with pytest.raises(removal_work.StillThere):  # applied once more only when no late write can come any more
        removal_work.removal_finish(job.pk)
    time_passes()
    assert removal_work.removal_finish(job.pk)
    assert (points(), VectorChange.objects.count(), sum(rows_left().values())) == (0, 0, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("text", ["", "The gauge now transmits by radio."], ids=["unchanged", "changed"])
def test_pages_crawled_again_outlive_the_cleanup_of_the_first_crawl(project: Project, text: str) -> None:
    """A fetched /a, /b and /c; B fetched /a and /b again, as they were or changed. B's pages stay, whole."""
    first = crawled(project, "/a", "/b", "/c")
    second = crawled(project, "/a", "/b", text=text)
    vectors_caught_up()
    numbers = cleaned_up(first)
    assert numbers["sources"] == (3, 1, 2)
    assert set(source_ids(project)) == {"/a", "/b"}
    left = rows_left()
    assert (left["holds"], left["sources"], left["contents"], left["passages"] > 0) == (2, 2, 2, True)
    assert (points(first), points(second), points()) == (0, left["passages"], left["passages"])
    assert sum(cleaned_up(second)["sources"]) == 4
    assert (sum(rows_left().values()), points()) == (0, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("store")
def test_a_job_cleaned_up_is_not_retried_and_a_new_one_begins_anew(project: Project) -> None:
    job = crawled(project, "/a")
    extracted(project, source_ids(project).values())
    cleaned_up(job)
    for _ in range(2):
        with pytest.raises(Conflict, match="start a new job") as refusal:
            retry.job_retry(job_id=job.pk)
        assert refusal.value.code == "no_artifacts"
    assert (status_of(job), states(job), sum(rows_left().values())) == ("completed", {"done": 1}, 0)
    again = crawled(project, "/a")
    vectors_caught_up()
    assert (rows_left()["sources"], points(again), points(job)) == (1, rows_left()["passages"], 0)
    assert cleaned_up(again)["sources"] == (1, 1, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.QUEUED])
def test_cancelling_100_000_pending_items_answers_long_before_they_are_all_skipped(
    make_job: MakeJob, status: JobStatus
) -> None:
    """Judged by a bare UPDATE of as many rows, three times at most; healing, sent by the call, skips what is left."""
    ratios: list[float] = []
    while not ratios or (min(ratios) >= 0.6 and len(ratios) < 3):  # a machine that stalls gets another try
        job = make_job(1, status=status)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO jobs_workitem (job_id, lane_id, key, state, reason, outcome, rank, attempts, lost_leases,"
                " waited_seconds, data) SELECT job_id, lane_id, 'http://h.test/' || n, state, reason, outcome,"
                " n %% 10, 0, 0, 0, data FROM jobs_workitem, generate_series(2, 100000) n WHERE job_id = %s",
                [job.pk],
            )
        update_seconds = seconds_of_a_bare_update(job)
        began = time.perf_counter()
        receipt = job_cancel(job_id=job.pk)
        reply_seconds = time.perf_counter() - began
        ratios.append(reply_seconds / update_seconds)
        assert (receipt.status, receipt.skipped + receipt.pending) == (JobStatus.CANCELLING, 100_000)
        assert states(job) == {"skipped": receipt.skipped, "pending": receipt.pending}
        assert claimed(1) == []
        healing.heal()
        assert (status_of(job), states(job)) == (JobStatus.CANCELLED, {"skipped": 100_000})
        print(f"100,000 pending items of a {status} job: reply {reply_seconds:.2f} s, UPDATE {update_seconds:.2f} s")
    assert min(ratios) < 0.6, ratios


def seconds_of_a_bare_update(job: Job) -> float:
    """Return how long one statement takes that skips all the job's items; it is taken back."""
    with transaction.atomic(), connection.cursor() as cursor:
        began = time.perf_counter()
        cursor.execute(
            "UPDATE jobs_workitem SET state = 'skipped', reason = 'cancelled', finished_at = clock_timestamp()"
            " WHERE job_id = %s",
            [job.pk],
        )
        transaction.set_rollback(True)
        return time.perf_counter() - began
