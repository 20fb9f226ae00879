"""REST: cancelling any job. It is here because the receipt counts sources, which `jobs` does not know."""

from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Status
from pydantic import BaseModel, Field

from crawling.listing import sources_held
from jobs.access import XApiKey
from jobs.committing import committed
from jobs.lifecycle import CancelReceipt, job_cancel
from jobs.schemas import CancelOut, problems
from jobs.states import JobStatus

router = Router(tags=["jobs"])


class CancelHow(BaseModel):
    """How to cancel."""

    force: bool = Field(False, description="Take the work away from the workers: cancelled now.")


@router.post(
    "/{job_id}/cancel",
    auth=XApiKey("jobs.cancel_job"),
    response={200: CancelOut, 202: CancelOut, **problems(404, 409)},
)
def cancel_job(request: HttpRequest, job_id: UUID, how: Query[CancelHow]) -> Status[CancelOut]:
    """Cancel a job: 200 when it is cancelled, 202 while workers still abort. Repeating the call is harmless."""

    def cancel() -> tuple[CancelReceipt, int]:
        receipt = job_cancel(job_id=job_id, actor=request.user.get_username(), force=how.force)
        return receipt, sources_held(job_id)

    receipt, sources = committed(cancel)
    out = CancelOut(
        job_id=job_id,
        status=receipt.status,
        message=cancel_message(receipt),
        sources_to_cleanup=sources,
        changed=receipt.changed,
        skipped=receipt.skipped,
        in_flight=receipt.in_flight,
        done=receipt.done,
        failed=receipt.failed,
    )
    return Status(200 if receipt.status is JobStatus.CANCELLED else 202, out)


def cancel_message(receipt: CancelReceipt) -> str:
    """Return what the receipt says, in one sentence."""
    match receipt.status, receipt.changed:
        case JobStatus.DELETING, _:
            return "The job is being deleted, which has cancelled it."
        case JobStatus.CANCELLED, False:
            return "The job was cancelled before; nothing changed."
        case JobStatus.CANCELLED, True:
            return f"The job is cancelled; {receipt.skipped} items were skipped."
        case _, False:
            return f"The job is being cancelled already; {receipt.in_flight} items are still in flight."
    return (
        f"The job is being cancelled: {receipt.skipped} items were skipped,"
        f" {receipt.in_flight} in flight are being aborted."
    )
