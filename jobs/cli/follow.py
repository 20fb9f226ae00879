"""Waiting for jobs from a command, and working on them in this process if no other process does."""

import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from jobs.errors import job_unknown
from jobs.ledger.counts import items_count
from jobs.models import Job
from jobs.registry import chores, kinds
from jobs.states import FINISHED_JOB, ItemState, JobStatus
from jobs.worker import host


def job_follow(job_id: UUID, *, quiet: bool = False) -> list[dict[str, Any]]:
    """Return the summaries of the job and of the jobs it chained, once all have finished and no chore is left.

    Works on them in this process while no other process does. quiet: show no progress.
    """
    return jobs_follow([job_id], quiet=quiet)


def jobs_follow(job_ids: Sequence[UUID], *, quiet: bool = False) -> list[dict[str, Any]]:
    """As `job_follow`, for several jobs."""
    progress = nullcontext() if quiet or not sys.stderr.isatty() else _progress()
    with progress as shown:
        follower = _Follower(job_ids, shown)
        host.hosting_or_waiting(follower.is_finished)
    return [job_summary(one) for one in family_ids(job_ids)]


def family_ids(job_ids: Sequence[UUID]) -> list[UUID]:
    """Return the ids of the jobs and of those chained to them, each after its parent."""
    found = list(job_ids)
    for parent in found:
        children = Job.objects.filter(parent_id=parent).values_list("pk", flat=True)
        found.extend(child for child in children if child not in found)
    return found


def job_summary(job_id: UUID) -> dict[str, Any]:
    """Return a job's status, exact counts, result and duration in seconds. Raises: NotFound."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise job_unknown(job_id)
    counted = items_count(job_id)
    end = job.completed_at
    return {
        "job_id": str(job_id),
        "type": job.kind,
        "label": job.label,
        "status": job.status,
        "error": job.error,
        kinds.get(job.kind).items_name: counted.total,
        **counted.as_json(),
        "result": job.result,
        "seconds": round((end - job.created_at).total_seconds(), 2) if end else None,
    }


def is_failure(status: str) -> bool:
    """Return whether a command that ran the job should exit as failed."""
    return status in (JobStatus.FAILED, JobStatus.CANCELLED)


class _Follower:
    def __init__(self, job_ids: Sequence[UUID], shown: Progress | None) -> None:
        self.job_ids = job_ids
        self.shown = shown
        self.tasks: dict[UUID, Any] = {}
        self.began = time.monotonic()

    def is_finished(self) -> bool:
        if self.shown is not None:
            for job_id in family_ids(self.job_ids):
                self._draw(self.shown, job_id)
        # The first jobs are checked by themselves: what they chain exists only once they have finished.
        if not _are_finished(self.job_ids) or not _are_finished(family_ids(self.job_ids)):
            return False
        return chores.is_idle()

    def _draw(self, shown: Progress, job_id: UUID) -> None:
        states = items_count(job_id).states
        final = sum(states.get(state.value, 0) for state in (ItemState.DONE, ItemState.FAILED, ItemState.SKIPPED))
        if job_id not in self.tasks:
            kind = Job.objects.values_list("kind", flat=True).get(pk=job_id)
            self.tasks[job_id] = shown.add_task(kind, counts="")
        parts = ", ".join(f"{number:,} {state}" for state, number in states.items())
        shown.update(self.tasks[job_id], completed=final, total=sum(states.values()), counts=parts)


def _are_finished(job_ids: Sequence[UUID]) -> bool:
    unfinished = Job.objects.filter(pk__any=job_ids).exclude(status__in=FINISHED_JOB)
    return not unfinished.exists()


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:8}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[counts]}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
