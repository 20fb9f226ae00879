"""Tools about projects and the templates they can start from."""

from typing import Annotated, Any

from pydantic import Field

from jobs.mcp.client import QuarryClient, segment
from jobs.mcp.tool_types import Answer, ProjectId, success

LISTED = ("id", "name", "description", "is_active", "schema_version", "created_at")


class ProjectTools:
    """The tools about projects; their docstrings are what a model reads."""

    def __init__(self, client: QuarryClient) -> None:
        self._client = client

    async def list_projects(
        self,
        include_inactive: Annotated[bool, Field(description="True: include deleted projects.")] = False,
    ) -> Answer:
        """List the projects by name, with the names of their field groups; get_project returns the whole schema."""
        found = await self._client.get("/projects", include_inactive=include_inactive)
        projects = [
            {name: project.get(name) for name in LISTED} | {"field_groups": _group_names(project["extraction_schema"])}
            for project in found
        ]
        return success({"projects": projects, "count": len(projects)})

    async def get_project(self, project_id: ProjectId) -> Answer:
        """Return one project with its extraction schema: the field groups, and the fields to look for."""
        return success(await self._client.get(f"/projects/{segment(project_id, name='project_id')}"))

    async def create_project(
        self,
        name: Annotated[str, Field(description="A name that no project has yet.")],
        description: Annotated[str | None, Field(description="What the project is for.")] = None,
        template: Annotated[
            str | None, Field(description="A template to start from, as list_templates names it.")
        ] = None,
        extraction_schema: Annotated[
            dict[str, Any] | None,
            Field(
                description=(
                    "Which fields to extract: {name, field_groups: [{name, description, is_entity_list, fields:"
                    " [{name, field_type, description, required}]}]}; get_template_details shows examples. Default:"
                    " the template's schema, or a general one."
                )
            ),
        ] = None,
        entity_types: Annotated[
            list[dict[str, Any]] | None, Field(description="Kinds of entities to collect: [{name, description}].")
        ] = None,
    ) -> Answer:
        """Create a project: the place for crawls, extractions and searches about one subject."""
        own = {"extraction_schema": extraction_schema, "entity_types": entity_types}
        named: dict[str, Any] = {"name": name, "description": description}
        if template is None:
            return success(await self._client.create("/projects", named | own))
        replaced = {key: value for key, value in own.items() if value is not None}
        body = named | {"template": template, "customizations": replaced or None}
        return success(await self._client.create("/projects/from-template", body))

    async def list_templates(self) -> Answer:
        """List the templates a project can start from, with the names of their field groups."""
        reply = await self._client.get("/projects/templates", details=True)
        templates = [
            {"name": one["name"], "description": one["description"], "field_groups": _group_names(one)}
            for one in reply["templates"]
        ]
        return success({"templates": templates, "count": len(templates)})

    async def get_template_details(
        self, name: Annotated[str, Field(description="The template's name, as list_templates returns it.")]
    ) -> Answer:
        """Return one template with all of its fields; it also shows how to write an extraction_schema."""
        return success(await self._client.get(f"/projects/templates/{segment(name, name='name')}"))


def _group_names(schema: dict[str, Any]) -> list[str]:
    return [group["name"] for group in schema.get("field_groups", [])]
