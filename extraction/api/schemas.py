"""Shapes of requests and replies about projects and templates."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from extraction.schema.projects import MAX_NAME_CHARACTERS
from jobs.api.schemas import JsonObject, Reply, RequestBody

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]
Description = Annotated[str, Field(max_length=10_000)]


class EntityType(BaseModel):
    """A kind of entity that a project collects: its name, and any other keys that describe it."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, Field(min_length=1, max_length=100)]


EntityTypes = Annotated[list[EntityType], Field(max_length=100)]


class Customizations(BaseModel):
    """What replaces parts of the template: `extraction_schema` key by key, everything else as a whole."""

    model_config = ConfigDict(extra="forbid")

    extraction_schema: JsonObject | None = None
    source_config: JsonObject | None = None
    entity_types: EntityTypes | None = None
    prompt_templates: JsonObject | None = None


class ProjectIn(RequestBody):
    """A project to create; everything except the name may be null or left out."""

    name: Name
    description: Description | None = None
    extraction_schema: JsonObject | None = Field(None, description="The preset `default` if not given.")
    source_config: JsonObject | None = None
    entity_types: EntityTypes | None = None
    prompt_templates: JsonObject | None = None


class ProjectChange(RequestBody):
    """What to change; a field that is null or left out stays as it is."""

    name: Name | None = None
    description: Description | None = None
    extraction_schema: JsonObject | None = None
    source_config: JsonObject | None = None
    entity_types: EntityTypes | None = None
    prompt_templates: JsonObject | None = None
    is_active: bool | None = Field(None, description="true restores a deleted project.")


class FromTemplate(RequestBody):
    """A project to create from a template."""

    template: Annotated[str, Field(max_length=100)]
    name: Name
    description: Description | None = None
    customizations: Customizations | None = None


class ProjectOut(Reply):
    """A project with its present extraction schema."""

    id: UUID
    name: str
    description: str
    source_config: JsonObject
    extraction_schema: JsonObject
    schema_version: int
    entity_types: list[EntityType]
    prompt_templates: JsonObject
    is_template: bool
    is_active: bool
    created_at: datetime


class ProjectFilters(BaseModel):
    """Which projects to list."""

    include_inactive: bool = Field(False, description="Include deleted projects.")


class ChangeHow(BaseModel):
    """How to change a project."""

    force: bool = Field(False, description="Change the schema even if extractions were made with it.")


class TemplateHow(BaseModel):
    """How to list templates."""

    details: bool = Field(False, description="Return the templates themselves, not only their names.")


class TemplateOut(Reply):
    """A bundled extraction schema that a project can start from."""

    name: str
    description: str
    field_groups: list[dict[str, JsonValue]]
    entity_types: list[EntityType]


class TemplateList(Reply):
    """All templates."""

    templates: list[TemplateOut]
    count: int


def plain(body: BaseModel) -> dict[str, Any]:
    """Return the fields that were given a value, as JSON data; nulls inside them are kept."""
    return {name: value for name, value in body.model_dump(mode="json").items() if value is not None}
