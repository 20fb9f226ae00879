"""Adding, claiming, extending, releasing and counting."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from jobs.control.cancel import job_cancel
from jobs.ledger import claims as claiming
from jobs.ledger import settle
from jobs.ledger.claims import items_claim, items_extend, items_release
from jobs.ledger.counts import items_count, pages_taken
from jobs.ledger.items import ITEMS_PER_INSERT, items_add
from jobs.models import KEY_MAX_CHARACTERS, Job, Lane, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import JobKey, NewItem
from jobs.states import JobStatus, Reason
from tests.helpers.factories import claimed, item, lane_id, states

pytestmark = pytest.mark.django_db
MakeJob = Callable[..., Job]


def add(job: Job, *items: NewItem) -> int:
    with transaction.atomic():
        return items_add(job.pk, items)


def test_adding_tells_how_many_were_new(make_job: MakeJob) -> None:
    job, other = make_job(), make_job()
    assert add(job, NewItem("a", "probe:1"), NewItem("b", "probe:1"), NewItem("a", "probe:2")) == 2
    assert add(job, NewItem("b", "probe:1"), NewItem("c", "probe:1")) == 1
    assert add(other, NewItem("a", "probe:1")) == 1
    assert states(job) == {"pending": 3}
    assert item(job, "a").lane.key == "probe:1"


def test_adding_more_than_one_chunk(make_job: MakeJob) -> None:
    job = make_job()
    many = [NewItem(f"k{number}", f"probe:{number % 3}") for number in range(2 * ITEMS_PER_INSERT + 5)]
    assert add(job, *many) == len(many)
    assert add(job, *many) == 0
    assert Lane.objects.count() == 3


@pytest.mark.parametrize("status", JobStatus)
def test_only_an_uncancelled_job_grows(make_job: MakeJob, status: JobStatus) -> None:
    job = make_job(status=status)
    grows = status in (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.PAUSED)
    assert add(job, NewItem("late", "probe:1")) == int(grows)


def test_nothing_is_added_once_a_cancel_was_requested(make_job: MakeJob) -> None:
    job = make_job(cancel_requested_at=timezone.now())
    assert add(job, NewItem("late", "probe:1")) == 0


def test_nothing_is_added_to_a_job_that_is_gone() -> None:
    assert items_add(uuid4(), [NewItem("a", "probe:1")]) == 0
    assert not Lane.objects.exists()


def test_a_key_at_the_limit_fits_and_a_longer_one_is_refused(make_job: MakeJob) -> None:
    job = make_job()
    assert add(job, NewItem("k" * KEY_MAX_CHARACTERS, "probe:1")) == 1
    with pytest.raises(ValueError, match=f"key is {KEY_MAX_CHARACTERS + 1} characters"):
        add(job, NewItem("k" * (KEY_MAX_CHARACTERS + 1), "probe:1"))


def test_the_data_of_an_item_is_stored_without_what_postgresql_refuses(make_job: MakeJob) -> None:
    job = make_job()
    add(job, NewItem("a", "probe:1", data={"an\x00chor": ["x\x00y", {"title": "half \ud83d"}]}))
    assert item(job, "a").data == {"anchor": ["xy", {"title": "half ?"}]}


def test_claims_come_by_rank_then_in_the_order_found(make_job: MakeJob) -> None:
    job = make_job()
    ranks = [2, 0, 1, 0, 2, 1]
    add(job, *[NewItem(f"{rank}-{place}", "probe:1", rank) for place, rank in enumerate(ranks)])
    assert [claim.key for claim in claimed(4)] == ["0-1", "0-3", "1-2", "1-5"]
    assert [claim.key for claim in claimed(4)] == ["2-0", "2-4"]
    assert claimed(4) == []


def test_a_claim_carries_what_the_work_needs(make_job: MakeJob) -> None:
    job = make_job()
    add(job, NewItem("a", "probe:1", 7, {"depth": 3}))
    WorkItem.objects.update(attempts=1, waited_seconds=9)
    (claim,) = claimed()
    row = item(job, "a")
    assert (claim.id, claim.job_id, claim.lease) == (row.pk, job.pk, row.lease)
    assert (claim.rank, claim.attempts, claim.waited_seconds, claim.data) == (7, 1, 9, {"depth": 3})


def test_the_lease_is_measured_by_the_clock_of_the_database(make_job: MakeJob) -> None:
    job = make_job(1)
    claimed(lease_seconds=40)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXTRACT(EPOCH FROM lease_until - clock_timestamp()) FROM jobs_workitem WHERE job_id = %s",
            [job.pk],
        )
        assert 35 < cursor.fetchone()[0] <= 40


@pytest.mark.parametrize("status", set(JobStatus) - {JobStatus.RUNNING})
def test_only_running_jobs_are_claimed(make_job: MakeJob, status: JobStatus) -> None:
    make_job(2)
    idle = make_job(2)
    fields = {"result": {}, "completed_at": timezone.now()} if status.value.endswith(("ed", "g")) else {}
    if status in (JobStatus.QUEUED, JobStatus.PAUSED, JobStatus.CANCELLING):
        fields = {"cancel_requested_at": timezone.now()} if status is JobStatus.CANCELLING else {}
    Job.objects.filter(pk=idle.pk).update(status=status, **fields)
    assert len(claimed()) == 2
    assert claimed() == []
    assert states(idle) == {"pending": 2}


def test_a_lane_serves_its_jobs_in_turn(make_job: MakeJob) -> None:
    jobs = [make_job(4) for _ in range(3)]
    served = [claimed(1)[0].job_id for _ in range(12)]
    assert {served[0], served[1], served[2]} == {job.pk for job in jobs}
    assert served == served[:3] * 4
    assert claimed(1) == []


def test_a_large_job_does_not_starve_a_later_small_one(make_job: MakeJob) -> None:
    make_job(100)
    small = make_job(2)
    served = [claim.job_id for _ in range(4) for claim in claimed(10)]
    assert served.count(small.pk) == 2


def test_one_claim_call_serves_one_job(make_job: MakeJob) -> None:
    make_job(3), make_job(3)
    assert len({claim.job_id for claim in claimed(6)}) == 1


def test_a_lane_gives_out_only_its_own_items(make_job: MakeJob) -> None:
    job = make_job()
    add(job, NewItem("a", "probe:1"), NewItem("b", "probe:2"))
    assert [claim.key for claim in claimed(lane="probe:2")] == ["b"]
    assert claimed(lane="probe:2") == []
    assert [claim.key for claim in claimed(lane="probe:1")] == ["a"]


def test_items_not_yet_due_are_left(make_job: MakeJob) -> None:
    job = make_job(2)
    WorkItem.objects.filter(key="item-0").update(not_before=timezone.now() + timedelta(hours=1))
    WorkItem.objects.filter(key="item-1").update(not_before=timezone.now() - timedelta(seconds=1))
    assert [claim.key for claim in claimed()] == ["item-1"]
    assert states(job) == {"claimed": 1, "pending": 1}


def test_an_item_that_lost_its_lease_is_claimed_alone(make_job: MakeJob) -> None:
    make_job(4)
    WorkItem.objects.filter(key__in=["item-1", "item-2"]).update(lost_leases=1)
    assert [claim.key for claim in claimed()] == ["item-0", "item-3"]
    assert claimed() == []
    assert [claim.key for claim in items_claim(lane_id(), 10, lost=True)] == ["item-1"]
    assert [claim.key for claim in items_claim(lane_id(), 10, lost=True)] == ["item-2"]


def test_the_page_limit_counts_pages_in_hand_and_fetched_ones(make_job: MakeJob) -> None:
    job = make_job(10, page_limit=4)
    first = claimed(3)
    assert len(first) == 3
    settle.outcomes_settle(
        job.pk,
        [
            kinds.done(first[0]),
            kinds.done(first[1], outcome="redirected"),
            kinds.skipped(first[2], Reason.ROBOTS),
        ],
    )
    assert pages_taken(JobKey(job.pk, job.project_id, job.kind)) == 1
    assert len(claimed(10)) == 3
    assert claimed(10) == []


def test_a_job_at_its_limit_lets_the_next_one_have_its_turn(make_job: MakeJob) -> None:
    full, other = make_job(5, page_limit=1), make_job(2)
    served = [claim.job_id for _ in range(3) for claim in claimed(5)]
    assert (served.count(full.pk), served.count(other.pk)) == (1, 2)


def test_extending_keeps_what_is_held_and_names_it(make_job: MakeJob) -> None:
    job = make_job(3)
    mine = claimed(2, lease_seconds=1)
    WorkItem.objects.filter(pk=mine[1].id).update(lease=uuid4())
    before = item(job, "item-1").lease_until
    assert items_extend(mine, lease_seconds=500) == {mine[0].id}
    assert item(job, "item-0").lease_until > timezone.now() + timedelta(seconds=400)
    assert item(job, "item-1").lease_until == before


def test_a_release_burns_nothing(make_job: MakeJob) -> None:
    job = make_job(2)
    claims = claimed()
    assert items_release(claims) == 2
    row = item(job)
    assert (row.state, row.attempts, row.lost_leases, row.waited_seconds) == ("pending", 0, 0, 0)
    assert (row.lease, row.lease_until, row.not_before, row.finished_at) == (None, None, None, None)
    assert items_release(claims) == 0
    assert [claim.key for claim in claimed()] == ["item-0", "item-1"]
    assert items_release([]) == 0


def test_a_release_with_an_old_lease_changes_nothing(make_job: MakeJob) -> None:
    job = make_job(1)
    old = claimed()
    items_release(old)
    (new,) = claimed()
    assert items_release(old) == 0
    assert item(job).lease == new.lease


def test_counts_add_up(make_job: MakeJob) -> None:
    job = make_job(8)
    claims = claimed(6)
    settle.outcomes_settle(
        job.pk,
        [
            kinds.done(claims[0]),
            kinds.done(claims[1], outcome="unchanged"),
            kinds.failed(claims[2], Reason.TIMEOUT, detail="slow"),
            kinds.failed(claims[3], Reason.HTTP_5XX, detail="500"),
            kinds.skipped(claims[4], Reason.ROBOTS),
        ],
    )
    counted = items_count(job.pk)
    assert counted.states == {"claimed": 1, "done": 2, "failed": 2, "pending": 2, "skipped": 1}
    assert counted.reasons == {"http_5xx": 1, "robots": 1, "timeout": 1}
    assert counted.outcomes == {"unchanged": 1}
    assert counted.total == 8


def test_cancel_counts_add_up(make_job: MakeJob) -> None:
    job = make_job(10)
    claims = claimed(3)
    settle.outcomes_settle(job.pk, [kinds.done(claims[0])])
    receipt = job_cancel(job_id=job.pk)
    assert (receipt.changed, receipt.skipped, receipt.in_flight, receipt.done, receipt.failed) == (True, 7, 2, 1, 0)
    again = job_cancel(job_id=job.pk)
    assert (again.changed, again.skipped, again.in_flight) == (False, 0, 2)


def test_a_claim_walks_the_rank_index_only(make_job: MakeJob) -> None:
    """However many items are settled, a claim reads none of them, neither to choose the job nor to pick."""
    job = make_job(2500)
    WorkItem.objects.filter(key__lt="item-2", job=job).update(state="done", finished_at=timezone.now())
    asked = {"lane": lane_id(), "job": job.pk, "lost": False, "limit": 16, "without": []}
    stamp = {"lease": job.pk, "seconds": 30}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_workitem")
        for statement in (claiming._CLAIM_NEXT, claiming._CLAIM_OF):
            cursor.execute("EXPLAIN " + statement, {**asked, **stamp})
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "item_claim" in plan
            assert "Seq Scan on jobs_workitem" not in plan
            assert not re.search("(Hash|Merge) ", plan)


def blocks_read(node: dict[str, Any], table: str) -> int:
    """Return how many blocks the nodes of a plan read of one table; what lies dead in others does not count."""
    own = node["Shared Hit Blocks"] + node["Shared Read Blocks"] if node.get("Relation Name") == table else 0
    return own + sum(blocks_read(below, table) for below in node.get("Plans", []))


def test_choosing_the_job_does_not_read_what_waits(make_job: MakeJob) -> None:
    """One probe of the index a job, not a join with every pending item."""
    make_job(5000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_workitem")
        asked = {"lane": lane_id(), "lost": False, "without": []}
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + claiming._NEXT_JOB, asked)
        plan = cursor.fetchone()[0]
    top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    assert 0 < blocks_read(top, "jobs_workitem") < 20
