"""Races between two real connections, their order forced by locks; who waits for whom is asked of PostgreSQL.

In each, one side holds its transaction open, the other is seen to wait for it, and only then the first commits.
"""

from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection, transaction

from jobs.control import end
from jobs.control.cancel import job_cancel
from jobs.ledger import settle
from jobs.ledger.claims import items_claim, items_release
from jobs.ledger.expiry import leases_expire
from jobs.ledger.items import items_add
from jobs.ledger.moves import job_lock
from jobs.messages import wake
from jobs.models import Job, Lane, Project, WorkItem
from jobs.postgres import transactions
from jobs.postgres.transactions import retried
from jobs.registry import kinds
from jobs.registry.kinds import NewItem
from jobs.states import JobStatus
from tests.helpers.factories import LANE, Probe, claimed, item, lane_id, leases_run_out, states
from tests.helpers.threads import Side

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
InThread = Callable[..., Side]


def settle_done(job: Job, claims: list[kinds.Claim], **fields: object) -> settle.Settled:
    return settle.outcomes_settle(job.pk, [kinds.done(claim, **fields) for claim in claims])


# Claims


def test_two_claimers_never_share_an_item(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(6)
    lane = lane_id()
    with transaction.atomic():
        mine = items_claim(lane, 4)
        # The other does not wait for these rows; only the lane's turn is written after we commit.
        other = in_thread(items_claim, lane, 4)
        other.wait_blocked()
    theirs = other.result()
    assert [claim.key for claim in mine] == ["item-0", "item-1", "item-2", "item-3"]
    assert [claim.key for claim in theirs] == ["item-4", "item-5"]
    assert len({claim.lease for claim in mine + theirs}) == 2
    assert states(job) == {"claimed": 6}


def test_many_claimers_share_everything_out_once(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(200)
    lane = lane_id()

    def take_all() -> list[int]:
        taken: list[int] = []
        while claims := items_claim(lane, 7):
            taken += [claim.id for claim in claims]
        return taken

    sides = [in_thread(take_all) for _ in range(4)]
    taken = [item_id for side in sides for item_id in side.result()]
    taken += take_all()  # what lay under another's lock when that side found nothing
    assert len(taken) == len(set(taken)) == 200
    assert states(job) == {"claimed": 200}


def test_a_skipped_item_is_never_claimed(make_job: MakeJob, in_thread: InThread) -> None:
    """The cancel has skipped the rows but not committed: a claimer takes none, now or after."""
    job = make_job(3)
    lane = lane_id()
    with transaction.atomic():
        job_cancel(job_id=job.pk)
        claimer = in_thread(items_claim, lane, 3)
        claimer.join()
        assert claimer.result() == []
    assert items_claim(lane, 3) == []
    assert states(job) == {"skipped": 3}


def test_a_claim_that_came_first_is_counted_by_the_cancel(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(5)
    with transaction.atomic():
        claims = items_claim(lane_id(), 2)
        cancel = in_thread(job_cancel, job_id=job.pk)
        cancel.wait_blocked()
    receipt = cancel.result()
    assert len(claims) == 2
    assert (receipt.status, receipt.skipped, receipt.in_flight) == (JobStatus.CANCELLING, 3, 2)
    assert states(job) == {"claimed": 2, "skipped": 3}


def test_two_lanes_never_exceed_the_page_limit(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(5, page_limit=3)
    with transaction.atomic():
        items_add(job.pk, [NewItem(f"other-{n}", "probe:2") for n in range(5)])
    one, two = lane_id(), lane_id("probe:2")
    with transaction.atomic():
        mine = items_claim(one, 2)
        other = in_thread(items_claim, two, 5)
        other.wait_blocked()
    theirs = other.result()
    assert (len(mine), len(theirs)) == (2, 1)
    assert states(job) == {"claimed": 3, "pending": 7}


def test_a_claim_that_waited_for_a_cancel_takes_nothing_of_the_job(
    make_job: MakeJob, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A very large job still has pending items after the cancel's commit; its page limit is counted under its lock."""
    monkeypatch.setattr(end, "SKIPPED_AT_ONCE", 2)
    job, other = make_job(6, page_limit=5), make_job(2)
    assert [claim.job_id for _ in range(2) for claim in claimed(1)] == [job.pk, other.pk]  # the job's turn is next
    with transaction.atomic():
        job_cancel(job_id=job.pk)
        claimer = in_thread(items_claim, lane_id(), 5)
        claimer.wait_blocked()
    assert [claim.job_id for claim in claimer.result()] == [other.pk]
    assert states(job) == {"claimed": 1, "pending": 3, "skipped": 2}


# Leases


def revoked(job: Job) -> list[kinds.Claim]:
    """Return claims whose leases have just gone to someone else."""
    old = claimed()
    items_release(old)
    claimed()
    return old


def test_a_worker_with_an_old_lease_writes_nothing(make_job: MakeJob, probe: Probe) -> None:
    job = make_job(2)
    probe.on_settle = lambda ref, outcomes: [Project.objects.create(name=o.claim.key) and o for o in outcomes]
    old = revoked(job)
    before = list(WorkItem.objects.filter(job=job).order_by("pk").values())
    settled = settle_done(job, old, new_items=[NewItem("late", LANE)], result={"late": 1})
    assert (settled.written, sorted(settled.lost)) == (0, [claim.id for claim in old])
    assert list(WorkItem.objects.filter(job=job).order_by("pk").values()) == before
    assert not Project.objects.exclude(name="Instruments").exists()


def test_what_is_still_held_is_written_beside_what_is_lost(make_job: MakeJob, probe: Probe) -> None:
    job = make_job(3)
    claims = claimed()
    items_release(claims[:1])
    wrote: list[str] = []
    probe.on_settle = lambda ref, outcomes: wrote.extend(o.claim.key for o in outcomes) or outcomes
    settled = settle_done(job, claims)
    assert (settled.written, settled.lost) == (2, (claims[0].id,))
    assert wrote == ["item-1", "item-2"]
    assert states(job) == {"done": 2, "pending": 1}


def test_a_settle_that_waits_for_a_healer_finds_its_lease_gone(
    make_job: MakeJob, probe: Probe, in_thread: InThread
) -> None:
    job = make_job(1)
    claims = claimed()
    leases_run_out(job)
    with transaction.atomic():
        assert leases_expire() == (1, 0)
        late = in_thread(settle_done, job, claims, new_items=[NewItem("late", LANE)])
        late.wait_blocked()
    assert late.result().written == 0
    assert states(job) == {"pending": 1}
    assert item(job).lost_leases == 1


def test_a_settle_that_came_first_leaves_the_healer_nothing(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(1)
    claims = claimed()
    leases_run_out(job)
    with transaction.atomic():
        settle_done(job, claims)
        healer = in_thread(leases_expire)
        healer.wait_blocked()
    assert healer.result() == (0, 0)
    assert states(job) == {"done": 1}


def test_force_fences_late_writers(make_job: MakeJob, probe: Probe, in_thread: InThread) -> None:
    job = make_job(3)
    claims = claimed(2)
    with transaction.atomic():
        receipt = job_cancel(job_id=job.pk, force=True)
        late = in_thread(settle_done, job, claims, new_items=[NewItem("late", LANE)])
        late.wait_blocked()
    assert (receipt.status, receipt.skipped, receipt.in_flight) == (JobStatus.CANCELLED, 3, 0)
    assert late.result().written == 0
    assert states(job) == {"skipped": 3}
    job.refresh_from_db()
    assert (job.status, job.result["counts"]) == ("cancelled", {"skipped": 3})


# Deadlocks


def test_a_deadlock_is_tried_again(make_job: MakeJob, in_thread: InThread) -> None:
    """Two transactions lock two jobs in opposite orders; PostgreSQL breaks one, and both get through."""
    one, two = make_job(), make_job()
    tries: list[str] = []

    def lock_both(name: str, first: Job, second: Job, met: Callable[[], None]) -> str:
        tries.append(name)
        job_lock(first.pk)
        met()
        job_lock(second.pk)
        return name

    first_locked: list[Side] = []

    def wait_for_other() -> None:
        if not first_locked:
            other = in_thread(retried, partial(lock_both, "other", two, one, lambda: None))
            first_locked.append(other)
            other.wait_blocked()  # it holds two and waits for one, which is ours

    assert retried(partial(lock_both, "mine", one, two, wait_for_other)) == "mine"
    assert first_locked[0].result() == "other"
    assert len(tries) > len({"mine", "other"}), "one of them was broken, and tried again"


def test_a_serialisation_failure_is_tried_again(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job()
    tries: list[int] = []

    def label(text: str) -> int:
        return Job.objects.filter(pk=job.pk).update(label=text)

    def read_then_write() -> int:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        Job.objects.get(pk=job.pk)
        if len(tries) == 1:
            in_thread(label, "theirs").result()  # our snapshot is now too old to write on
        return label("ours")

    assert retried(read_then_write) == 1
    assert len(tries) == 2
    assert Job.objects.get(pk=job.pk).label == "ours"


def test_other_database_errors_are_not_tried_again(make_job: MakeJob) -> None:
    make_job()
    tries: list[int] = []

    def too_slow() -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '1ms'; SELECT pg_sleep(1)")

    with pytest.raises(transactions.OperationalError):
        retried(too_slow)
    assert tries == [1]


def test_waking_many_lanes_from_two_sides_cannot_deadlock(make_job: MakeJob, in_thread: InThread) -> None:
    """Lanes are locked in the order of their ids, whatever order the table has them in."""
    job = make_job()
    with transaction.atomic():
        items_add(job.pk, [NewItem(f"k{n}", f"probe:{n}") for n in range(3)])
    ids = sorted(lane_id(f"probe:{n}") for n in range(3))
    Lane.objects.update(woken_at=None)
    with transaction.atomic(), connection.cursor() as cursor:
        # The first lane's row now lies last in the table; whoever scans it comes to it last.
        cursor.execute("UPDATE jobs_lane SET woken_at = NULL WHERE id = %s", [ids[0]])
        other = in_thread(wake.lanes_wake, ids)
        other.wait_blocked()
        cursor.execute("SELECT id FROM jobs_lane WHERE id = %s FOR UPDATE NOWAIT", [ids[2]])
        assert cursor.fetchone() == (ids[2],)
    other.result()


def test_a_settle_locks_its_items_in_the_order_of_ids(make_job: MakeJob, in_thread: InThread) -> None:
    """So that two settles, or a settle and a release, never hold what the other wants next."""
    job = make_job(3)
    claims = claimed(3)
    ids = [claim.id for claim in claims]
    WorkItem.objects.filter(pk=ids[0]).update(rank=1)  # a row that was written anew lies behind the others

    def settle_by_scan() -> settle.Settled:
        with connection.cursor() as cursor:  # an index on ids would meet them in order whatever is asked
            cursor.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
        return settle_done(job, claims)

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM jobs_workitem WHERE job_id = %s ORDER BY ctid", [job.pk])
        assert [row[0] for row in cursor.fetchall()] == [*ids[1:], ids[0]]
        cursor.execute("SELECT id FROM jobs_workitem WHERE id = %s FOR UPDATE", [ids[0]])
        settling = in_thread(settle_by_scan)
        settling.wait_blocked()
        cursor.execute("SELECT id FROM jobs_workitem WHERE id = ANY(%s) FOR UPDATE NOWAIT", [ids[1:]])
        assert len(cursor.fetchall()) == 2, "it holds none of the later items while it waits for the first"
    assert settling.result().written == 3
