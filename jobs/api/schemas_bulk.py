"""Shapes of requests and replies about many jobs at a time."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jobs.api.schemas import Moment, ReasonText, Reply, RequestBody, TextOrNull
from jobs.api.schemas_removal import Hosts, Reasons
from jobs.control.bulk import MAX_JOBS_PER_ACTION, BulkResult
from jobs.states import JobStatus


class BulkFilter(BaseModel):
    """Which jobs: those to which everything given applies. At least one condition is needed."""

    model_config = ConfigDict(extra="forbid")

    type: Annotated[str, Field(max_length=20)] | None = None
    status: JobStatus | None = None
    project_id: UUID | None = None
    created_before: Moment | None = None
    created_after: Moment | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "BulkFilter":
        if all(value is None for value in self.model_dump().values()):
            raise ValueError("must name at least one condition, such as status; every job is never meant")
        return self


class BulkIn(RequestBody):
    """Which jobs, by their ids or by a filter, and whether only to look."""

    job_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_JOBS_PER_ACTION)] | None = None
    filter: BulkFilter | None = Field(None, description=f"May match at most {MAX_JOBS_PER_ACTION} jobs.")
    dry_run: bool | None = Field(None, description="True: change nothing, tell which jobs it is and what they hold.")
    reason: ReasonText | None = Field(None, description="Kept in the history of each job.")

    @model_validator(mode="after")
    def _names_jobs_once(self) -> "BulkIn":
        if (self.job_ids is None) == (self.filter is None):
            raise ValueError("must have either job_ids or filter")
        return self


class BulkCancelIn(BulkIn):
    """Which jobs to cancel."""

    force: bool | None = Field(None, description="True: take the work away from the workers: cancelled now.")


class BulkCleanupIn(BulkIn):
    """Which jobs to clean up."""

    delete_job: bool | None = Field(None, description="True: the jobs, too; needs jobs.delete_job as well.")


class BulkDeleteIn(BulkIn):
    """Which jobs to delete."""

    cleanup: bool | None = Field(
        None, description="True: also what they made, cancelling them if need be; needs jobs.cleanup_job as well."
    )


class BulkRetryIn(BulkIn):
    """Which jobs to try again."""

    reasons: Reasons | None = Field(None, description="Only items that ended for one of these reasons.")
    hosts: Hosts | None = Field(None, description="Only items of these hosts.")


class BulkCounts(Reply):
    """How many jobs there were, and what became of them."""

    matched: int
    changed: int
    unchanged: int
    refused: int


class BulkJobOut(Reply):
    """One job: what became of it, or why it was refused."""

    id: UUID
    outcome: BulkResult
    status: JobStatus | None = Field(description="As it now stands; null: there is no such job (any more).")
    code: TextOrNull
    detail: TextOrNull
    items: dict[str, int] = Field(description="Items by state; only in a dry run.")


class BulkOut(Reply):
    """What became of each job, in the order asked for, or oldest first. Removals go on by themselves afterwards."""

    action: Literal["cancel", "cleanup", "delete", "retry", "pause", "resume"]
    dry_run: bool
    counts: BulkCounts
    jobs: list[BulkJobOut]
    items: dict[str, int] = Field(description="Items of all these jobs by state; only in a dry run.")
    artifacts: dict[str, int] = Field(
        description="What all these jobs made, by kind, the vector store itself asked; only in a dry run of a removal."
    )
    warnings: list[str]
