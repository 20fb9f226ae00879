"""A job's items by state: counted by one statement over the ledger, never by counters kept by hand."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from jobs.registry import kinds
from jobs.registry.kinds import JobKey
from jobs.states import ItemState


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items of a job are in each state; skipped and failed ones also by reason, done ones by outcome."""

    states: dict[str, int]
    reasons: dict[str, int]
    outcomes: dict[str, int]

    @property
    def total(self) -> int:
        """All items of the job."""
        return sum(self.states.values())

    @property
    def unfinished(self) -> int:
        """Items that are pending or claimed."""
        return self.states.get(ItemState.PENDING.value, 0) + self.states.get(ItemState.CLAIMED.value, 0)

    def as_json(self) -> dict[str, dict[str, int]]:
        """Return the counts as stored in `Job.result`."""
        return {"counts": self.states, "reasons": self.reasons, "outcomes": self.outcomes}


def items_count(job_id: UUID) -> Counts:
    """Return the counts of the job's items, from one GROUP BY over the ledger."""
    states: dict[str, int] = {}
    reasons: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, reason, outcome, count(*) FROM jobs_workitem WHERE job_id = %s"
            " GROUP BY state, reason, outcome",
            [job_id],
        )
        for state, reason, outcome, number in cursor.fetchall():
            states[state] = states.get(state, 0) + number
            if reason:
                reasons[reason] = reasons.get(reason, 0) + number
            if outcome:
                outcomes[outcome] = outcomes.get(outcome, 0) + number
    return Counts(dict(sorted(states.items())), dict(sorted(reasons.items())), dict(sorted(outcomes.items())))


def items_phrase(number: int) -> str:
    """Return a number of items for a sentence: `1 item`, `2,000 items`."""
    return "1 item" if number == 1 else f"{number:,} items"


def pages_taken(job: JobKey) -> int:
    """Return how many items count towards the limit: claimed and done ones, except outcomes that the kind excludes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM jobs_workitem WHERE job_id = %s AND"
            " (state = 'claimed' OR (state = 'done' AND outcome <> ALL(%s)))",
            [job.id, sorted(kinds.get(job.kind).uncounted_outcomes)],
        )
        return int(cursor.fetchone()[0])
