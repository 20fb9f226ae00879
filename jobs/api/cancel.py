"""REST: cancelling a job."""

from dataclasses import replace
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Header, Query, Router, Status
from pydantic import Field

from jobs.api.access import XApiKey
from jobs.api.owner_fields import held_fields, with_numbers
from jobs.api.schemas import StatusOut, WaitHeaders, Why, problems
from jobs.api.waiting import waited_as_preferred
from jobs.control.cancel import CancelReceipt, job_cancel
from jobs.ledger.counts import items_count, items_phrase
from jobs.ledger.moves import job_status
from jobs.postgres.transactions import committed
from jobs.registry import owners
from jobs.states import ItemState, JobStatus

router = Router(tags=["jobs"])


class CancelHow(Why):
    """How to cancel a job."""

    force: bool = Field(False, description="True: cancel at once, without waiting for workers to stop.")


@with_numbers(lambda: held_fields().values())
class CancelOut(StatusOut):
    """What a cancel did; the numbers are read in the same transaction."""

    skipped: int = Field(description="Pending items that this call skipped.")
    pending: int = Field(
        description="Items still to be skipped; a job with more than 25,000 pending items is cancelled in steps."
    )
    in_flight: int = Field(description="Items that workers are aborting now.")
    done: int
    failed: int


@router.post(
    "/{job_id}/cancel",
    auth=XApiKey("jobs.cancel_job"),
    response={200: CancelOut, 202: CancelOut, **problems(404, 409)},
)
def cancel_job(
    request: HttpRequest,
    response: HttpResponse,
    job_id: UUID,
    how: Query[CancelHow],
    headers: Header[WaitHeaders],
) -> Status[CancelOut]:
    """Cancel a job: 200 when it is cancelled, 202 while items are still being aborted or skipped.

    Repeating the call is harmless.
    """

    def cancel() -> tuple[CancelReceipt, dict[str, int]]:
        actor = request.user.get_username()
        receipt = job_cancel(job_id=job_id, actor=actor, reason=how.reason or "", force=how.force)
        return receipt, owners.held(job_id)

    receipt, held = committed(cancel)
    if headers.prefer:
        receipt = waited_as_preferred(response, headers.prefer, receipt, cancel_read, _is_over)
    out = CancelOut(
        job_id=job_id,
        status=receipt.status,
        message=cancel_message(receipt),
        changed=receipt.changed,
        skipped=receipt.skipped,
        pending=receipt.pending,
        in_flight=receipt.in_flight,
        done=receipt.done,
        failed=receipt.failed,
        **held,
    )
    return Status(200 if receipt.status is JobStatus.CANCELLED else 202, out)


def _is_over(receipt: CancelReceipt) -> bool:
    return receipt.status is not JobStatus.CANCELLING


def cancel_read(before: CancelReceipt) -> CancelReceipt:
    """Return the receipt with the job's current numbers, still including what the call changed and skipped."""
    status = job_status(before.job_id)
    if status is None:  # deleted meanwhile, which cancelled it first
        return replace(before, status=JobStatus.DELETING)
    states = items_count(before.job_id).states
    pending = states.get(ItemState.PENDING.value, 0)
    since = max(0, before.pending - pending) if before.changed else 0  # what the call's own step left to be skipped
    return replace(
        before,
        status=status,
        skipped=before.skipped + since,
        pending=pending,
        in_flight=states.get(ItemState.CLAIMED.value, 0),
        done=states.get(ItemState.DONE.value, 0),
        failed=states.get(ItemState.FAILED.value, 0),
    )


def cancel_message(receipt: CancelReceipt) -> str:
    """Return the receipt as one sentence."""
    match receipt.status, receipt.changed:
        case JobStatus.DELETING, _:
            return "The job is being deleted; it was cancelled for that."
        case JobStatus.CANCELLED, False:
            return "The job was already cancelled; nothing changed."
        case JobStatus.CANCELLED, True:
            return f"The job is cancelled, with {items_phrase(receipt.skipped)} skipped."
        case _, False:
            still = f"{items_phrase(receipt.in_flight)} still in flight{_waiting(receipt)}"
            return f"The job is already being cancelled; {still}."
    return (
        f"The job is being cancelled: {items_phrase(receipt.skipped)} skipped,"
        f" {receipt.in_flight:,} in flight being aborted{_waiting(receipt)}."
    )


def _waiting(receipt: CancelReceipt) -> str:
    return f", {receipt.pending:,} more to be skipped" if receipt.pending else ""
