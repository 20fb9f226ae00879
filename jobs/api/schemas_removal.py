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
    """What to remove; everything may be null or left out, as may the body."""

    delete_job: bool | None = Field(None, description="True: the job itself, too; needs jobs.delete_job as well.")
    reason: ReasonText | None = Field(None, description="Kept in the job's history.")


class DeleteHow(Why):
    """How to delete a job."""

    cleanup: bool = Field(
        False,
        description="Also remove what the job made, cancelling it first if need be; needs jobs.cleanup_job as well."
        " Otherwise that stays in the project.",
    )


class RetryIn(RequestBody):
    """Which items to try again; everything may be null or left out, as may the body: then it is all that failed."""

    reasons: Reasons | None = Field(None, description="Only items that ended for one of these reasons.")
    hosts: Hosts | None = Field(None, description="Only items of these hosts.")
    reason: ReasonText | None = Field(None, description="Kept in the job's history.")


class RemovedOut(Reply):
    """How much of one kind of artifact there was, and what became of it."""

    found: int
    deleted: int
    kept_shared: int = Field(description="Kept because another job holds it.")


@with_numbers(lambda: deleted_fields().values())
class CleanupStats(Reply):
    """How much was deleted so far."""

    dlq_items_deleted: int = Field(
        description="Always 0: there is no dead-letter queue per job. Failed items are part of the job."
    )


class RemovalOut(Reply):
    """What is common to a cleanup's reply and a deletion's."""

    job_id: UUID
    changed: bool = Field(description="False: it had been asked for before.")
    receipt: dict[str, RemovedOut] = Field(description=f"By kind of artifact: {', '.join(artifact_names())}.")
    error: TextOrNull = Field(description="Why it is not finished yet, if something went wrong; it is tried again.")
    message: str


class CleanupOut(RemovalOut, CleanupStats):
    """How far a cleanup has come; with status 200 it is finished."""

    job_deleted: bool


class DeleteOut(RemovalOut):
    """How far a deletion has come; with status 200 it is finished."""

    deleted: bool
    cleanup_performed: bool = Field(description="What the job made is removed; false while that is going on.")
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
    """Return what the receipt says, in one sentence."""
    what = "the job made is gone" if receipt.cleanup_requested else "the job made stays in the project"
    if receipt.job_deleted:
        return f"The job is deleted; what {what}."
    if receipt.finished:
        return f"What {what}, except what other jobs hold; the job stays."
    if receipt.error:
        return "The removal met a difficulty and is tried again by itself until it is finished; see `error`."
    return "The removal is under way and goes on by itself; repeat the call to see how far it is."
