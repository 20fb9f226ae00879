"""Shapes of requests and replies about many jobs at a time."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jobs.api.schemas import Moment, ReasonText, Reply, RequestBody, TextOrNull
from jobs.api.schemas_removal import Hosts, Reasons
from jobs.control.bulk import MAX_JOBS_PER_ACTION, BulkResult
from jobs.states import JobStatus


class BulkFilter(BaseModel):
    """Selects the jobs that meet all conditions given. At least one condition is required."""

    model_config = ConfigDict(extra="forbid")

    type: Annotated[str, Field(max_length=20)] | None = None
    status: JobStatus | None = None
    project_id: UUID | None = None
    created_before: Moment | None = None
    created_after: Moment | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "BulkFilter":
        if all(value is None for value in self.model_dump().values()):
            raise ValueError("must have at least one condition, such as status; a filter never selects all jobs")
        return self


class BulkIn(RequestBody):
    """Which jobs to act on, by their ids or by a filter, and whether this is a dry run."""

    job_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_JOBS_PER_ACTION)] | None = None
    filter: BulkFilter | None = Field(None, description=f"May match at most {MAX_JOBS_PER_ACTION} jobs.")
    dry_run: bool | None = Field(
        None, description="True: change nothing; show which jobs these are and what they hold."
    )
    reason: ReasonText | None = Field(None, description="Kept in the history of each job.")

    @model_validator(mode="after")
    def _names_jobs_once(self) -> "BulkIn":
        if (self.job_ids is None) == (self.filter is None):
            raise ValueError("must have either job_ids or filter")
        return self


class BulkCancelIn(BulkIn):
    """Which jobs to cancel."""

    force: bool | None = Field(None, description="True: cancel at once, without waiting for workers to stop.")


class BulkCleanupIn(BulkIn):
    """Which jobs to clean up."""

    delete_job: bool | None = Field(
        None, description="True: delete the jobs as well; this also needs the permission jobs.delete_job."
    )


class BulkDeleteIn(BulkIn):
    """Which jobs to delete."""

    cleanup: bool | None = Field(
        None,
        description="True: delete what they made as well, cancelling active jobs first; this also needs the permission"
        " jobs.cleanup_job.",
    )


class BulkRetryIn(BulkIn):
    """Which jobs to retry, and which of their items."""

    reasons: Reasons | None = Field(
        None, description="Only items that failed or were skipped for one of these reasons."
    )
    hosts: Hosts | None = Field(None, description="Only items of these hosts.")


class BulkCounts(Reply):
    """How many jobs there were, by result."""

    matched: int
    changed: int
    unchanged: int
    refused: int


class BulkJobOut(Reply):
    """The result for one job, or why it was refused."""

    id: UUID
    outcome: BulkResult
    status: JobStatus | None = Field(description="The current status; null if the job does not exist (any more).")
    code: TextOrNull
    detail: TextOrNull
    items: dict[str, int] = Field(description="Items by state; only in a dry run.")


class BulkOut(Reply):
    """The result for each job, in the order of the ids, or oldest first for a filter. Removals continue afterwards."""

    action: Literal["cancel", "cleanup", "delete", "retry", "pause", "resume"]
    dry_run: bool
    counts: BulkCounts
    jobs: list[BulkJobOut]
    items: dict[str, int] = Field(description="Items of all these jobs by state; only in a dry run.")
    artifacts: dict[str, int] = Field(
        description="What all these jobs made, by kind, counted where it is stored; only in a dry run of a removal."
    )
    warnings: list[str]
