"""The registry of job kinds: how a kind plans its items, works on them and writes their results.

The applications above register their kinds here in `AppConfig.ready()`, with the names that only they know.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from uuid import UUID

from jobs.states import ItemState, Reason

HOST_LANE = "host:"  #: the prefix of the keys of lanes that stand for a host


@dataclass(frozen=True, slots=True)
class JobKey:
    """Which job it is, without its payload: settling does not need that, and it can be too large to read each time."""

    id: UUID
    project_id: UUID
    kind: str


@dataclass(frozen=True, slots=True)
class JobRef(JobKey):
    """What a worker knows of a job: plain values, no row."""

    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to add: `rank` orders the work (lower first), `lane` names the queue it belongs to."""

    key: str
    lane: str
    rank: int = 0
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """An item this worker holds until `lease` is lost."""

    id: int
    job_id: UUID
    key: str
    lease: UUID
    rank: int
    attempts: int
    waited_seconds: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claim. Build it with the functions below; `write` is for the kind's own `settle`."""

    claim: Claim
    state: ItemState
    reason: str = ""
    outcome: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    new_items: tuple[NewItem, ...] = ()
    write: Any = None
    retry_after_seconds: float | None = None  # for pending: the earliest next try
    burns_attempt: bool = False

    def turned(self, state: ItemState, reason: str = "", **changes: Any) -> "Outcome":
        """Return this outcome with another state, its writes dropped."""
        return replace(self, state=state, reason=reason, outcome="", write=None, new_items=(), **changes)


def done(
    claim: Claim,
    *,
    outcome: str = "",
    result: dict[str, Any] | None = None,
    new_items: Sequence[NewItem] = (),
    write: Any = None,
) -> Outcome:
    """Return a finished outcome; `outcome` refines it, such as `unchanged`."""
    return Outcome(claim, ItemState.DONE, "", outcome, result or {}, tuple(new_items), write)


def skipped(
    claim: Claim,
    reason: Reason,
    *,
    result: dict[str, Any] | None = None,
    new_items: Sequence[NewItem] = (),
    write: Any = None,
) -> Outcome:
    """Return an outcome that skips the item, with the counted reason."""
    return Outcome(claim, ItemState.SKIPPED, reason.value, "", result or {}, tuple(new_items), write)


def failed(claim: Claim, reason: Reason, *, detail: str, write: Any = None, **facts: Any) -> Outcome:
    """Return a final failure; `detail` is the sentence shown to people."""
    return Outcome(claim, ItemState.FAILED, reason.value, "", {"detail": detail, **facts}, (), write)


def retryable(claim: Claim, reason: Reason, *, detail: str, write: Any = None, **facts: Any) -> Outcome:
    """Return a failure worth another attempt; the ledger decides when, and how often."""
    return Outcome(
        claim,
        ItemState.PENDING,
        reason.value,
        "",
        {"detail": detail, **facts},
        (),
        write,
        retry_after_seconds=None,
        burns_attempt=True,
    )


def snoozed(
    claim: Claim, reason: Reason, *, after_seconds: float, detail: str, write: Any = None, **facts: Any
) -> Outcome:
    """Return "come back later" (429, 503 with Retry-After): burns waiting time, not an attempt."""
    return Outcome(
        claim,
        ItemState.PENDING,
        reason.value,
        "",
        {"detail": detail, **facts},
        (),
        write,
        after_seconds,
        False,
    )


class Worker(Protocol):
    """What one slice works with: sessions, caches, pacing. Opened once per slice and family of kinds."""

    in_hand: int  #: claims to hold at once, waiting for pacing included
    item_deadline_seconds: float  #: the longest one item may take; its heartbeat stops there

    async def begin(self, job: JobRef, claims: Sequence[Claim]) -> None:
        """Get ready for claims of one job, for instance by looking up in one query what is known about each."""
        ...

    async def work(self, job: JobRef, claim: Claim) -> Outcome:
        """Return what became of the claim. Raises CancelledError when told to stop."""
        ...

    def on_settled(self, outcomes: Sequence[Outcome]) -> None:
        """Note which outcomes are now committed; those of lost leases are not among them."""
        ...


class Kind(Protocol):
    """One kind of job."""

    name: str
    family: str  #: kinds of one family share lanes and one Worker
    items_name: str = "items"  #: what its items are called in a job's summary
    uncounted_outcomes: frozenset[str] = frozenset()  #: outcomes of done items that count towards no page limit
    result_names: tuple[str, ...] = ()  #: numbers in the result that people are shown, in this order

    def populate(self, job: JobRef) -> None:
        """Add the first items, inside the transaction that creates the job."""
        ...

    def open_worker(self, lane: str, database: Any) -> AbstractAsyncContextManager[Worker]:
        """Return the worker for one slice of `lane`; `database` runs functions on the database thread."""
        ...

    def settle(self, job: JobKey, outcomes: list[Outcome]) -> list[Outcome]:
        """Write the results of claims still held, inside the settling transaction.

        The job row and the items are locked. Returns the outcomes to record, one per claim given.
        """
        ...

    def complete(self, job: JobRef) -> dict[str, Any]:
        """Return facts for `result`, and chain what follows, inside the completing transaction."""
        ...

    def chain(self, parent: JobRef) -> UUID | None:
        """Create the job of this kind that follows `parent`, inside the parent's completing transaction."""
        ...


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Register a kind by its name. Raises: ValueError for a second one with that name."""
    if kind.name in _kinds and _kinds[kind.name] is not kind:
        raise ValueError(f"kind {kind.name!r} is registered twice")
    _kinds[kind.name] = kind


def get(name: str) -> Kind:
    """Return the kind called `name`. Raises: KeyError."""
    return _kinds[name]


def names() -> list[str]:
    """Return the names of all kinds, sorted."""
    return sorted(_kinds)


def of_family(family: str) -> Kind:
    """Return any kind of the family, since they share lanes and worker. Raises: KeyError."""
    for name in names():
        if _kinds[name].family == family:
            return _kinds[name]
    raise KeyError(family)
