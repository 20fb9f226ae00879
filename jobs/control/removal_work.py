"""Finishing cleanups and deletes: chunk after chunk, each in one transaction, the job's row last."""

import operator
from dataclasses import asdict
from functools import partial
from uuid import UUID

from django.db.models.functions import Now

from jobs.errors import QuarryError
from jobs.ledger.moves import LockedJob, event_record, job_lock, job_move
from jobs.models import Job, WorkItem
from jobs.postgres.advisory_locks import job_lock_key, lock_tried
from jobs.postgres.chunks import id_chunks, rows_delete
from jobs.postgres.transactions import retried
from jobs.queries.waiting import seen_when_over
from jobs.registry import owners
from jobs.registry.owners import ArtifactOwner, Removed
from jobs.states import FINISHED_JOB, JobStatus

ARTIFACTS_PER_STEP = 2000
ITEMS_PER_DELETE = 5000
CONFIRM_SECONDS = 30.0  # for one owner's store to confirm; after that, healing sends the actor again


class StillThere(QuarryError):
    """Artifacts remain"""

    code = "still_there"


def removal_finish(job_id: UUID) -> bool:
    """Carry out what was requested; True once nothing is left, False if it cannot begin yet or another process does it.

    Raises: StillThere, Unavailable: the request stays on the job's row, and healing tries again.
    """
    with lock_tried(job_lock_key(job_id)) as is_alone:
        if not is_alone:
            return False
        try:
            return _finish(job_id)
        except Exception as error:
            detail = error.detail if isinstance(error, QuarryError) else f"Unexpected {type(error).__name__}: {error}."
            Job.objects.filter(pk=job_id).update(removal_error=detail[:500])
            raise


def _finish(job_id: UUID) -> bool:
    job = retried(partial(_ready, job_id))
    if job is None:
        return False
    if job.cleanup_requested_at is not None and job.cleaned_at is None:
        for owner in owners.in_delete_order():
            while retried(partial(_remove_chunk, owner, job_id)):
                pass
        _confirm_gone(job_id)
        retried(partial(_mark_cleaned, job_id))
        job = retried(partial(_ready, job_id))  # the delete may have been asked for meanwhile
    if job is not None and job.delete_requested_at is not None:
        for owner in owners.in_delete_order():
            while retried(partial(_adopt_chunk, owner, job_id)):
                pass
        for ids in id_chunks(WorkItem.objects.filter(job_id=job_id), size=ITEMS_PER_DELETE):
            rows_delete(WorkItem.objects.filter(pk__any=ids))
        retried(partial(_delete_row, job_id))
    return True


def _ready(job_id: UUID) -> LockedJob | None:
    """Return the job if its removal may begin; a cancelled one that is to be deleted is moved to `deleting` first."""
    job = job_lock(job_id)
    if job is None or (job.cleanup_requested_at is None and job.delete_requested_at is None):
        return None
    if job.status in FINISHED_JOB and job.delete_requested_at is not None:
        job_move(job, JobStatus.DELETING, action="deleting")
        return job_lock(job_id)
    return job if job.status in FINISHED_JOB | {JobStatus.DELETING} else None


def _remove_chunk(owner: ArtifactOwner, job_id: UUID) -> bool:
    """Delete one chunk and add it to the receipt, in one transaction; False when nothing was left."""
    if job_lock(job_id) is None:
        return False
    removed = owner.remove_chunk(job_id, size=ARTIFACTS_PER_STEP)
    if removed:
        _add_to_receipt(job_id, removed)
    return bool(removed)


def _add_to_receipt(job_id: UUID, removed: dict[str, Removed]) -> None:
    receipt = Job.objects.values_list("removal", flat=True).get(pk=job_id) or owners.nothing_removed()
    for kind, numbers in removed.items():
        receipt[kind] = asdict(Removed(**receipt.get(kind, {})) + numbers)
    Job.objects.filter(pk=job_id).update(removal=receipt)


def _confirm_gone(job_id: UUID) -> None:
    """Return once every owner's store itself counts nothing of the job. Raises: StillThere, Unavailable."""
    for owner in owners.in_delete_order():
        look = partial(_left, owner, job_id)
        # What is left is held by another process for a moment, or a late write is being waited for.
        if left := seen_when_over(look(), look, operator.not_, seconds=CONFIRM_SECONDS):
            raise StillThere(f"The {owner.name} of job {job_id} are not all deleted yet: {left} left.", left=left)


def _left(owner: ArtifactOwner, job_id: UUID, _before: int = 0) -> int:
    owner.work_off([job_id])
    return owner.count([job_id])


def _mark_cleaned(job_id: UUID) -> None:
    job = job_lock(job_id)
    if job is None:
        return
    receipt = Job.objects.values_list("removal", flat=True).get(pk=job_id)
    removed = {name: Removed(**numbers) for name, numbers in receipt.items()}
    for owner in owners.in_delete_order():
        receipt |= {name: asdict(numbers) for name, numbers in owner.confirmed(removed).items()}
    Job.objects.filter(pk=job_id, cleaned_at__isnull=True).update(cleaned_at=Now(), removal=receipt, removal_error="")
    event_record(job_id, action="cleaned", counts=receipt, from_status=job.status.value, to_status=job.status.value)


def _adopt_chunk(owner: ArtifactOwner, job_id: UUID) -> int:
    return owner.adopt_chunk(job_id, size=ARTIFACTS_PER_STEP) if job_lock(job_id) is not None else 0


def _delete_row(job_id: UUID) -> None:
    job = job_lock(job_id)
    if job is None:
        return
    receipt = Job.objects.values_list("removal", flat=True).get(pk=job_id) or owners.nothing_removed()
    event_record(job_id, action="deleted", counts=receipt, from_status=job.status.value)
    Job.objects.filter(parent_id=job_id).update(parent=None)
    rows_delete(Job.objects.filter(pk=job_id))
