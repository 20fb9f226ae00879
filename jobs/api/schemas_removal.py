"""Shapes of requests and replies about cleaning up, deleting and retrying jobs."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from jobs.api.owner_fields import deleted_fields, with_numbers
from jobs.api.schemas import ReasonText, Reply, RequestBody, TextOrNull, Why
from jobs.control.removal import RemovalReceipt
from jobs.registry.owners import artifact_names
from jobs.states import JobStatus, Reason

MAX_HOSTS = 1000

Reasons = Annotated[list[Reason], Field(max_length=len(Reason))]
Hosts = Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=MAX_HOSTS)]


class CleanupIn(RequestBody):
    """What to remove. Every field may be null or left out, and so may the body."""

    delete_job: bool | None = Field(
        None, description="True: delete the job itself as well; this also needs the permission jobs.delete_job."
    )
    reason: ReasonText | None = Field(None, description="Kept in the job's history.")


class DeleteHow(Why):
    """How to delete a job."""

    cleanup: bool = Field(
        False,
        description="True: delete what the job made as well, cancelling the job first if it is active; this also needs"
        " the permission jobs.cleanup_job. False: what the job made stays in the project.",
    )


class RetryIn(RequestBody):
    """Which items to try again. Every field may be null or left out, and so may the body; default: all that failed."""

    reasons: Reasons | None = Field(
        None, description="Only items that failed or were skipped for one of these reasons."
    )
    hosts: Hosts | None = Field(None, description="Only items of these hosts.")
    reason: ReasonText | None = Field(None, description="Kept in the job's history.")


class RemovedOut(Reply):
    """How many artifacts of one kind were found, deleted and kept."""

    found: int
    deleted: int
    kept_shared: int = Field(description="Kept because another job also uses them.")


@with_numbers(lambda: deleted_fields().values())
class CleanupStats(Reply):
    """How much has been deleted so far."""

    dlq_items_deleted: int = Field(
        description="Always 0: there is no dead-letter queue per job. Failed items are part of the job."
    )


class RemovalOut(Reply):
    """What the replies to a cleanup and to a deletion have in common."""

    job_id: UUID
    changed: bool = Field(description="False: it had already been requested.")
    receipt: dict[str, RemovedOut] = Field(description=f"By kind of artifact: {', '.join(artifact_names())}.")
    error: TextOrNull = Field(
        description="Why it is not finished yet, if something went wrong; it is retried automatically."
    )
    message: str


class CleanupOut(RemovalOut, CleanupStats):
    """The progress of a cleanup; with status 200 it is finished."""

    job_deleted: bool


class DeleteOut(RemovalOut):
    """The progress of a deletion; with status 200 it is finished."""

    deleted: bool
    cleanup_performed: bool = Field(
        description="Whether what the job made has been removed; false while that is under way."
    )
    cleanup_stats: CleanupStats


class RetryOut(Reply):
    """How many items will be tried again."""

    job_id: UUID
    status: JobStatus
    requeued: int
    message: str


def cleanup_out(receipt: RemovalReceipt) -> CleanupOut:
    """Return the reply to a cleanup."""
    return CleanupOut(**_common(receipt), **_stats(receipt).model_dump(), job_deleted=receipt.job_deleted)


def delete_out(receipt: RemovalReceipt) -> DeleteOut:
    """Return the reply to a deletion."""
    return DeleteOut(
        **_common(receipt),
        deleted=receipt.job_deleted,
        cleanup_performed=receipt.finished and receipt.cleanup_requested,
        cleanup_stats=_stats(receipt),
    )


def _stats(receipt: RemovalReceipt) -> CleanupStats:
    deleted = {field.name: receipt.deleted(kind) for kind, field in deleted_fields().items()}
    return CleanupStats(**deleted, dlq_items_deleted=0)


def _common(receipt: RemovalReceipt) -> dict[str, Any]:
    return {
        "job_id": receipt.job_id,
        "changed": receipt.changed,
        "receipt": receipt.removal,
        "error": receipt.error,
        "message": removal_message(receipt),
    }


def removal_message(receipt: RemovalReceipt) -> str:
    """Return the receipt as one sentence."""
    what = "the job made is gone" if receipt.cleanup_requested else "the job made stays in the project"
    if receipt.job_deleted:
        return f"The job is deleted; what {what}."
    if receipt.finished:
        return f"What {what}, except what other jobs also use; the job itself is kept."
    if receipt.error:
        return "The removal ran into a problem and is retried automatically until it is finished; see `error`."
    return "The removal is under way and continues by itself; repeat the call to see its progress."
