"""Submitting a job: its row, its history and its first items in one transaction."""

from typing import Any
from uuid import UUID

from django.db import transaction

from jobs.control.projects import project_require
from jobs.errors import Invalid
from jobs.ledger.moves import event_record
from jobs.models import Job
from jobs.registry import kinds
from jobs.registry.kinds import JobRef
from jobs.states import JobStatus


def job_submit(
    *,
    kind: str,
    project_id: UUID,
    payload: dict[str, Any],
    label: str = "",
    actor_id: int | None = None,
    actor: str = "",
    page_limit: int | None = None,
    parent_id: UUID | None = None,
) -> UUID:
    """Create a job with its first items in one transaction and wake its lanes; return its id.

    Raises: Invalid when the kind is unknown; NotFound when the project is unknown or inactive.
    """
    if kind not in kinds.names():
        raise Invalid(f"There is no job kind {kind!r}; use one of {', '.join(kinds.names())}.")
    with transaction.atomic():
        project_require(project_id)
        job = Job.objects.create(
            kind=kind,
            project_id=project_id,
            payload=payload,
            label=label[:300],
            created_by_id=actor_id,
            page_limit=page_limit,
            parent_id=parent_id,
        )
        event_record(job.pk, action="submit", actor=actor, to_status=JobStatus.QUEUED.value)
        kinds.get(kind).populate(JobRef(job.pk, project_id, kind, payload))
        if not job.items.exists():
            raise Invalid("The job has nothing to do: the request contains nothing that it could work on.")
    return job.pk
