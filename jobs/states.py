"""States, reasons and the only legal moves between them.

Everything that changes a state consults these tables; `docs/state-machine.md` draws them.
"""

from enum import StrEnum


class JobStatus(StrEnum):
    """The status of a job. `cleaned` is not a status but a time, `cleaned_at`, of a finished job."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    FAILED = "failed"
    DELETING = "deleting"


class ItemState(StrEnum):
    """The state of one item of a job."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class Reason(StrEnum):
    """Why an item failed or was skipped; a closed list, so that counts by reason add up."""

    CANCELLED = "cancelled"
    ROBOTS = "robots"
    LIMIT = "limit"
    DUPLICATE = "duplicate"
    IRRELEVANT = "irrelevant"
    LANGUAGE = "language"
    NOINDEX = "noindex"
    CONTENT_TYPE = "content_type"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    GONE = "gone"
    HTTP_4XX = "http_4xx"
    HTTP_5XX = "http_5xx"
    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECTION = "connection"
    TLS = "tls"
    REDIRECT_LOOP = "redirect_loop"
    BLOCKED_ADDRESS = "blocked_address"
    PARSE = "parse"
    LLM_UNAVAILABLE = "llm_unavailable"
    LLM_INVALID = "llm_invalid"
    BUDGET = "budget"
    SOURCE_GONE = "source_gone"
    WORKER_LOST = "worker_lost"
    INTERNAL = "internal"


JOB_MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset(
        {
            JobStatus.RUNNING,
            JobStatus.PAUSED,
            JobStatus.CANCELLING,  # more is pending than a cancel skips at once
            JobStatus.CANCELLED,
            JobStatus.COMPLETED,
            JobStatus.FAILED,
        }
    ),
    JobStatus.RUNNING: frozenset(
        {
            JobStatus.PAUSED,
            JobStatus.CANCELLING,
            JobStatus.CANCELLED,
            JobStatus.COMPLETED,
            JobStatus.FAILED,
        }
    ),
    JobStatus.PAUSED: frozenset(
        {
            JobStatus.QUEUED,
            JobStatus.RUNNING,
            JobStatus.CANCELLING,
            JobStatus.CANCELLED,
            JobStatus.COMPLETED,
            JobStatus.FAILED,
        }
    ),
    JobStatus.CANCELLING: frozenset({JobStatus.CANCELLED}),
    JobStatus.CANCELLED: frozenset({JobStatus.QUEUED, JobStatus.DELETING}),
    JobStatus.COMPLETED: frozenset({JobStatus.QUEUED, JobStatus.DELETING}),
    JobStatus.FAILED: frozenset({JobStatus.QUEUED, JobStatus.DELETING}),
    JobStatus.DELETING: frozenset(),
}

ITEM_MOVES: dict[ItemState, frozenset[ItemState]] = {
    ItemState.PENDING: frozenset({ItemState.CLAIMED, ItemState.SKIPPED}),
    # Back to pending: released, to be retried, or its lease ran out.
    ItemState.CLAIMED: frozenset({ItemState.PENDING, ItemState.DONE, ItemState.FAILED, ItemState.SKIPPED}),
    ItemState.DONE: frozenset(),
    ItemState.FAILED: frozenset({ItemState.PENDING}),  # retry
    ItemState.SKIPPED: frozenset({ItemState.PENDING}),  # retry of what a cancel skipped
}

FINISHED_JOB = frozenset({JobStatus.CANCELLED, JobStatus.COMPLETED, JobStatus.FAILED})
ACTIVE_JOB = frozenset({JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.CANCELLING})
SETTLING_JOB = frozenset({JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.CANCELLING})
GROWING_JOB = frozenset({JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.PAUSED})
CANCELLABLE_JOB = GROWING_JOB
FINAL_ITEM = frozenset({ItemState.DONE, ItemState.FAILED, ItemState.SKIPPED})
