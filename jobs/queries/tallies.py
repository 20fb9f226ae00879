"""What an action on jobs would touch: exact numbers, read by ids, shown before anything happens."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q

from jobs.errors import Unavailable
from jobs.models import Job, Lane, WorkItem
from jobs.registry import owners
from jobs.registry.kinds import HOST_LANE
from jobs.states import ACTIVE_JOB, ItemState, JobStatus, Reason

HOSTS_SHOWN = 20
ARTIFACTS_PER_JOB = 25  # jobs whose artifacts are counted one by one; of more jobs only the totals are


@dataclass(frozen=True, slots=True)
class JobPreview:
    """One job: its items by state, and what it made if that was requested."""

    id: UUID
    label: str
    kind: str
    status: str
    items: dict[str, int]
    artifacts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobsPreview:
    """The jobs of one action, and their sums. `unavailable` says why an artifact could not be counted."""

    jobs: list[JobPreview]
    items: dict[str, int]
    artifacts: dict[str, int]
    unavailable: str = ""


def jobs_preview(job_ids: Sequence[UUID], *, with_artifacts: bool = False) -> JobsPreview:
    """Return what these jobs hold. Neither payloads nor results nor items are loaded, only numbers."""
    states = items_by_state(job_ids)
    rows = Job.objects.filter(pk__any=job_ids).order_by("-created_at")
    found = list(rows.values_list("pk", "label", "kind", "status"))
    totals: Counter[str] = Counter()
    for counted in states.values():
        totals.update(counted)
    artifacts, each, unavailable = {}, {}, ""
    if with_artifacts:
        try:
            artifacts = _artifacts(job_ids)
            if len(found) <= ARTIFACTS_PER_JOB:
                each = {pk: _artifacts([pk]) for pk, *_ in found}
        except Unavailable as error:
            unavailable = error.detail
    jobs = [
        JobPreview(pk, label or str(pk), kind, status, states.get(pk, {}), each.get(pk, {}))
        for pk, label, kind, status in found
    ]
    return JobsPreview(jobs, dict(totals), artifacts, unavailable)


def items_by_state(job_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Return the number of items by state of each job, from one statement that the counting index serves."""
    counted: dict[UUID, dict[str, int]] = {}
    rows = WorkItem.objects.filter(job_id__any=job_ids).order_by()
    for job_id, state, number in rows.values_list("job_id", "state").annotate(number=Count("*")):
        counted.setdefault(job_id, {})[state] = number
    return counted


def items_shown(jobs: Sequence[Job]) -> dict[UUID, dict[str, int]]:
    """Return the items by state of each listed job: stored counts of finished jobs, new counts of the others."""
    finished = Job.objects.filter(pk__any=[job.pk for job in jobs if job.is_finished]).order_by()
    frozen = {pk: counts or {} for pk, counts in finished.values_list("pk", "result__counts")}
    return frozen | items_by_state([job.pk for job in jobs if not job.is_finished])


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many items of a job ended the same way; `why` is the reason, or the outcome of what was done."""

    state: str
    why: str
    number: int


def items_by_reason(job_id: UUID) -> list[ReasonCount]:
    """Return the items of one job by state and reason, largest number first within each state."""
    rows = WorkItem.objects.filter(job_id=job_id).order_by()
    grouped = rows.values_list("state", "reason", "outcome").annotate(number=Count("*"))
    counted = [ReasonCount(state, reason or outcome, number) for state, reason, outcome, number in grouped]
    order = [state.value for state in ItemState]
    return sorted(counted, key=lambda row: (order.index(row.state), -row.number, row.why))


def items_by_lane(lane_ids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """Return (jobs, pending items, items in flight) of each lane in which an unfinished job has something to do."""
    pending, claimed = Q(state=ItemState.PENDING.value), Q(state=ItemState.CLAIMED.value)
    rows = WorkItem.objects.filter(
        pending | claimed, lane_id__any=lane_ids, job__status__in=[status.value for status in ACTIVE_JOB]
    )
    counted = (
        rows.order_by()
        .values_list("lane_id")
        .annotate(
            jobs=Count("job_id", distinct=True),
            pending=Count("pk", filter=pending),
            claimed=Count("pk", filter=claimed),
        )
    )
    return {lane_id: (jobs, waiting, in_flight) for lane_id, jobs, waiting, in_flight in counted}


def lanes_paused(job_id: UUID) -> list[Lane]:
    """Return the paused lanes in which the job has pending items: why it does not continue."""
    waiting = WorkItem.objects.filter(job_id=job_id, lane_id=OuterRef("pk"), state=ItemState.PENDING.value)
    return list(Lane.objects.filter(Exists(waiting), paused_at__isnull=False).order_by("key"))


def items_retryable(job_ids: Sequence[UUID]) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return what a retry of these jobs would try again, most first: (reason, items), (host, items) of some hosts."""
    skipped = Q(state=ItemState.SKIPPED.value, reason=Reason.CANCELLED.value, job__status=JobStatus.CANCELLED.value)
    items = WorkItem.objects.filter(Q(state=ItemState.FAILED.value) | skipped, job_id__any=job_ids).order_by()
    reasons = items.values_list("reason").annotate(number=Count("pk")).order_by("-number", "reason")
    lanes = items.filter(lane__key__startswith=HOST_LANE).values_list("lane__key").annotate(number=Count("pk"))
    hosts = lanes.order_by("-number", "lane__key")[:HOSTS_SHOWN]
    return list(reasons), [(key.removeprefix(HOST_LANE), number) for key, number in hosts]


def _artifacts(job_ids: Sequence[UUID]) -> dict[str, int]:
    return {owner.name: owner.count(job_ids) for owner in owners.in_delete_order()}
