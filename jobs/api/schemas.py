"""What the REST API of every application shares, and the shapes of requests and replies about jobs."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from jobs.models import KEY_MAX_CHARACTERS
from jobs.states import ItemState, JobStatus, Reason

MAX_OFFSET = 1_000_000
MAX_JOBS_PER_PAGE = 100
MAX_REASON_CHARACTERS = 500
MAX_ITEMS = 1000

JsonObject = dict[str, JsonValue]
#: Stored as empty text, shown as null.
TextOrNull = Annotated[str | None, BeforeValidator(lambda text: text or None)]
#: A moment without a time zone is taken as UTC.
Moment = Annotated[datetime, AfterValidator(lambda moment: moment if moment.tzinfo else moment.replace(tzinfo=UTC))]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET)]
GroupName = Annotated[str, Field(max_length=200)]
ReasonText = Annotated[str, Field(max_length=MAX_REASON_CHARACTERS)]


class Problem(BaseModel):
    """An error as defined by RFC 9457; it may have further members, such as `job_status` or `errors`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="urn:quarry:problem: followed by the code.")
    title: str
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="One sentence that says what to do next.")
    code: str = Field(description="A stable code for programs.")


def problems(*codes: int) -> dict[int, type[Problem]]:
    """Return the error replies an endpoint declares: these, and those that every endpoint may give."""
    return dict.fromkeys(sorted({*codes, 401, 403, 422, 500, 503}), Problem)


class Reply(BaseModel):
    """A reply, read from a row, a receipt or plain values."""

    model_config = ConfigDict(from_attributes=True)


class RequestBody(BaseModel):
    """A request's body. Unknown fields are refused, except three that are accepted and have no effect."""

    model_config = ConfigDict(extra="forbid")

    profile: JsonValue = None
    language_detection_enabled: bool | None = None
    include_merge_metadata: bool | None = None

    def ineffective(self, *names: str) -> list[str]:
        """Return a warning for each of these fields, and of the three, that was set to something."""
        named = ("profile", "language_detection_enabled", "include_merge_metadata", *names)
        return [f"{name} is accepted but has no effect yet." for name in named if getattr(self, name)]


class WaitHeaders(BaseModel):
    """How long a reply may wait for the workers."""

    prefer: str | None = Field(
        None,
        alias="Prefer",
        description="wait=N: wait at most N seconds (up to 30) for the work to finish; see RFC 7240.",
    )


# Jobs


class JobFilters(BaseModel):
    """Which jobs to list, newest first."""

    type: Annotated[str, Field(max_length=20)] | None = None
    status: JobStatus | None = None
    project_id: UUID | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_JOBS_PER_PAGE)] = 50
    offset: Offset = 0


class JobOut(Reply):
    """A job in a list."""

    id: UUID
    type: str = Field(validation_alias="kind")
    status: JobStatus
    project_id: UUID
    label: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    error: TextOrNull


class JobList(Reply):
    """One page of jobs; `total` counts all that match."""

    jobs: list[JobOut]
    total: int
    limit: int
    offset: int


class JobDetail(JobOut):
    """A job with its payload, its result, and the current counts of its items."""

    payload: JsonObject
    result: JsonObject | None
    parent_id: UUID | None
    cancel_requested_at: datetime | None
    cancel_requested_by: TextOrNull
    cancel_reason: TextOrNull
    cleanup_requested_at: datetime | None
    cleaned_at: datetime | None
    delete_requested_at: datetime | None
    removal_error: TextOrNull = Field(description="Why a cleanup or deletion is not finished yet.")
    counts: dict[str, int] = Field(description="Items by state.")
    reasons: dict[str, int] = Field(description="Failed and skipped items by reason.")
    outcomes: dict[str, int] = Field(description="Done items by outcome, where the outcome says more than done.")


class StatusOut(Reply):
    """A job's status after a pause or resume, and whether this call changed it."""

    job_id: UUID
    status: JobStatus
    changed: bool
    message: str


class Why(BaseModel):
    """Why this is done to the job."""

    reason: ReasonText | None = Field(None, description="Kept in the job's history.")


class ItemFilters(BaseModel):
    """Which items to list, ordered by key."""

    state: ItemState | None = None
    reason: Reason | None = None
    after: Annotated[str, Field(max_length=KEY_MAX_CHARACTERS)] | None = Field(
        None, description="The `next_after` of the previous page."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = 100


class ItemOut(Reply):
    """One item of a job."""

    key: str
    state: ItemState
    reason: TextOrNull
    outcome: TextOrNull
    attempts: int
    not_before: datetime | None
    finished_at: datetime | None
    result: JsonObject | None


class ItemPage(Reply):
    """One page of items; `next_after` is null on the last."""

    items: list[ItemOut]
    next_after: str | None


class EventFilters(BaseModel):
    """Which events to list, oldest first."""

    after: Annotated[int, Field(ge=0, lt=2**63)] | None = Field(
        None, description="The `next_after` of the previous page."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_ITEMS)] = 100


class EventOut(Reply):
    """One entry in a job's history."""

    id: int
    at: datetime
    actor: TextOrNull
    action: str
    from_status: TextOrNull
    to_status: TextOrNull
    reason: TextOrNull
    counts: dict[str, Any]


class EventPage(Reply):
    """One page of events; `next_after` is null on the last."""

    events: list[EventOut]
    next_after: int | None
