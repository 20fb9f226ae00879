"""Projects: created, from a preset or not, read, changed, and marked deleted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from extraction.models import SchemaVersion
from extraction.schema.model import ExtractionSchema
from extraction.schema.presets import DEFAULT_PRESET, preset
from extraction.schema.versions import schema_save
from jobs.errors import Conflict, Invalid, NotFound
from jobs.models import Project
from jobs.postgres.text import storable, storable_text

MAX_NAME_CHARACTERS = 200
#: What a change may touch besides the schema.
CHANGEABLE = ("name", "description", "source_config", "entity_types", "prompt_templates", "is_active")


@dataclass(frozen=True, slots=True)
class ProjectDraft:
    """A project to create; without a schema it gets the preset `default`."""

    name: str
    description: str = ""
    extraction_schema: dict[str, Any] | None = None
    source_config: dict[str, Any] = field(default_factory=dict)
    entity_types: list[dict[str, Any]] | None = None
    prompt_templates: dict[str, Any] = field(default_factory=dict)
    is_template: bool = False


def project_create(draft: ProjectDraft, *, actor_id: int | None = None) -> UUID:
    """Create a project with version 1 of its schema; return its id. Raises: Invalid, Conflict (name_taken)."""
    name = _name(draft.name)
    raw = draft.extraction_schema
    schema = ExtractionSchema.parse(raw) if raw else preset(DEFAULT_PRESET).schema
    entity_types = draft.entity_types
    if entity_types is None:
        entity_types = [] if draft.extraction_schema else list(preset(DEFAULT_PRESET).entity_types)
    try:
        with transaction.atomic():
            project = Project.objects.create(
                name=name,
                description=storable_text(draft.description),
                source_config=storable(draft.source_config),
                entity_types=storable(entity_types),
                prompt_templates=storable(draft.prompt_templates),
                is_template=draft.is_template,
            )
            SchemaVersion.objects.create(
                project=project, number=1, schema=storable(schema.to_json()), created_by_id=actor_id
            )
    except IntegrityError as error:
        if not Project.objects.filter(name=name).exists():
            raise
        raise Conflict(
            f"There is already a project called {name!r}; use that one or choose another name.",
            code="name_taken",
        ) from error
    return project.pk


@dataclass(frozen=True, slots=True)
class ProjectRead:
    """A project with its current schema."""

    id: UUID
    name: str
    description: str
    source_config: dict[str, Any]
    extraction_schema: dict[str, Any]
    schema_version: int
    entity_types: list[dict[str, Any]]
    prompt_templates: dict[str, Any]
    is_template: bool
    is_active: bool
    created_at: datetime


def projects_read(*, include_inactive: bool = False) -> list[ProjectRead]:
    """Return the projects by name; deleted ones only when asked for."""
    rows = Project.objects.order_by("name")
    return _with_schemas(rows if include_inactive else rows.filter(is_active=True))


def project_read(project_id: UUID) -> ProjectRead:
    """Return one project, a deleted one too. Raises: NotFound."""
    found = _with_schemas(Project.objects.filter(pk=project_id))
    if not found:
        raise _unknown(project_id)
    return found[0]


def project_change(
    project_id: UUID, changes: Mapping[str, Any], *, force: bool = False, actor_id: int | None = None
) -> None:
    """Change what `changes` names, all or nothing: columns of CHANGEABLE, and `extraction_schema`.

    Raises: NotFound; Invalid; Conflict (codes name_taken, schema_in_use).
    """
    fields = {name: changes[name] for name in CHANGEABLE if name in changes}
    if "name" in fields:
        fields["name"] = _name(fields["name"])
    with transaction.atomic():
        if not Project.objects.select_for_update(no_key=True).filter(pk=project_id).values_list("pk").first():
            raise _unknown(project_id)
        if changes.get("extraction_schema"):
            schema_save(project_id, changes["extraction_schema"], force=force, actor_id=actor_id)
        if fields:
            _update(project_id, fields)


def project_delete(project_id: UUID) -> None:
    """Mark a project as deleted; its contents are kept. Repeating it is harmless. Raises: NotFound."""
    if not Project.objects.filter(pk=project_id).update(is_active=False):
        raise _unknown(project_id)


def project_from_preset(
    *,
    template: str,
    name: str,
    description: str | None = None,
    customizations: Mapping[str, Any] | None = None,
    actor_id: int | None = None,
) -> UUID:
    """Create a project from a preset; return its id.

    customizations: replace what the preset says: `extraction_schema` key by key, the rest as a whole.
    Raises: NotFound, naming the presets; Invalid; Conflict (code name_taken).
    """
    base, own = preset(template), dict(customizations or {})
    schema = {**base.schema.to_json(), **(own.get("extraction_schema") or {})}
    draft = ProjectDraft(
        name=name,
        description=base.description if description is None else description,
        extraction_schema=schema,
        entity_types=_given(own.get("entity_types"), [dict(entity) for entity in base.entity_types]),
        source_config=own.get("source_config") or {},
        prompt_templates=own.get("prompt_templates") or {},
    )
    return project_create(draft, actor_id=actor_id)


def _given(value: Any, default: Any) -> Any:
    return default if value is None else value


def _name(name: str) -> str:
    name = storable_text(name).strip()
    if not name or len(name) > MAX_NAME_CHARACTERS:
        raise Invalid(f"Give the project a name of 1 to {MAX_NAME_CHARACTERS} characters.")
    return name


def _update(project_id: UUID, fields: Mapping[str, Any]) -> None:
    try:
        with transaction.atomic():
            Project.objects.filter(pk=project_id).update(**fields)
    except IntegrityError as error:
        name = fields.get("name")
        if not Project.objects.filter(name=name).exclude(pk=project_id).exists():
            raise
        raise Conflict(
            f"There is already a project called {name!r}; choose another name.", code="name_taken"
        ) from error


def _with_schemas(projects: Iterable[Project]) -> list[ProjectRead]:
    """Return the projects with their newest schemas; one that was given none yet has the preset `default`."""
    rows = list(projects)
    newest = SchemaVersion.objects.filter(project__any=[row.pk for row in rows]).order_by("project_id", "-number")
    schemas = {
        project_id: (schema, number)
        for project_id, schema, number in newest.distinct("project_id").values_list("project_id", "schema", "number")
    }
    default = (preset(DEFAULT_PRESET).schema.to_json(), 1)
    return [_read(row, *schemas.get(row.pk, default)) for row in rows]


def _read(row: Project, schema: dict[str, Any], number: int) -> ProjectRead:
    return ProjectRead(
        id=row.pk,
        name=row.name,
        description=row.description,
        source_config=row.source_config,
        extraction_schema=schema,
        schema_version=number,
        entity_types=row.entity_types,
        prompt_templates=row.prompt_templates,
        is_template=row.is_template,
        is_active=row.is_active,
        created_at=row.created_at,
    )


def _unknown(project_id: UUID) -> NotFound:
    return NotFound(f"There is no project {project_id}. List the projects to find the right id.")
