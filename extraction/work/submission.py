"""Starting extractions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from extraction.models import SchemaVersion
from extraction.schema.model import ExtractionSchema
from extraction.schema.versions import schema_current
from extraction.work.kind import Extract, sources_selected
from jobs.control.projects import project_require
from jobs.control.submit import job_submit
from jobs.errors import Invalid


def extract_submit(
    *,
    project_id: UUID,
    source_ids: Sequence[UUID] = (),
    source_groups: Sequence[str] = (),
    field_groups: Sequence[str] = (),
    force: bool = False,
    actor_id: int | None = None,
    actor: str = "",
) -> UUID:
    """Start an extraction over the project's sources; return the job's id.

    Without `force`, sources already extracted with the current schema are left out.
    Raises: NotFound, Invalid (codes unknown_field_group, nothing_to_extract).
    """
    project_require(project_id)
    version = schema_current(project_id)
    _check_field_groups(version, field_groups)
    payload: dict[str, Any] = {
        "schema_version_id": version.pk,
        "schema_number": version.number,
        "source_ids": [str(source_id) for source_id in source_ids],
        "source_groups": list(source_groups),
        "field_groups": list(field_groups),
        "force": force or bool(field_groups),
    }
    if not sources_selected(project_id, payload).exists():
        raise Invalid(
            "There is no source left to extract from: crawl something first, or repeat with force=true to extract"
            " again from sources already extracted.",
            code="nothing_to_extract",
        )
    label = ", ".join(source_groups) or "all sources"
    return job_submit(
        kind=Extract.name, project_id=project_id, payload=payload, label=label, actor_id=actor_id, actor=actor
    )


def _check_field_groups(version: SchemaVersion, field_groups: Sequence[str]) -> None:
    known = [group.name for group in ExtractionSchema.parse(version.schema).field_groups]
    if unknown := sorted(set(field_groups) - set(known)):
        detail = f"The schema has no field group {', '.join(unknown)}. It has: {', '.join(known)}."
        raise Invalid(detail, code="unknown_field_group")
