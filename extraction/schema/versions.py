"""The versions of a project's schema: every changed one is a new row, none is ever altered."""

from typing import Any
from uuid import UUID

from django.db import transaction

from extraction.models import Extraction, SchemaVersion
from extraction.schema.model import ExtractionSchema
from extraction.schema.presets import DEFAULT_PRESET, preset
from jobs.control.projects import project_require
from jobs.errors import Conflict
from jobs.models import Project
from jobs.postgres.text import storable


def schema_current(project_id: UUID) -> SchemaVersion:
    """Return the newest schema version of the project; one that was given none has the preset `default`.

    Raises: NotFound.
    """
    version = SchemaVersion.objects.filter(project_id=project_id).order_by("-number").first()
    if version is not None:
        return version
    project_require(project_id)
    schema = preset(DEFAULT_PRESET).schema.to_json()
    return SchemaVersion.objects.get_or_create(project_id=project_id, number=1, defaults={"schema": schema})[0]


def schema_save(project_id: UUID, raw: Any, *, force: bool = False, actor_id: int | None = None) -> SchemaVersion:
    """Store a changed schema as a new version; an equal one changes nothing. Returns the current version.

    Raises: NotFound; Invalid; Conflict (code schema_in_use) when extractions of the former version exist and not
    `force`.
    """
    schema = storable(ExtractionSchema.parse(raw).to_json())
    with transaction.atomic():
        if Project.objects.select_for_update(no_key=True).filter(pk=project_id).first() is None:
            project_require(project_id)
        current = schema_current(project_id)
        if current.schema == schema:
            return current
        if not force and Extraction.objects.filter(project_id=project_id).exists():
            raise Conflict(
                "Extractions made with the current schema exist. Repeat with force=true to change it; they keep"
                " their version, can be listed as stale, and are replaced by the next extraction.",
                code="schema_in_use",
            )
        return SchemaVersion.objects.create(
            project_id=project_id, number=current.number + 1, schema=schema, created_by_id=actor_id
        )
