"""REST: projects, and the templates they can start from."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Header, Query, Router, Status

from extraction.api.schemas import (
    ChangeHow,
    FromTemplate,
    ProjectChange,
    ProjectFilters,
    ProjectIn,
    ProjectOut,
    TemplateHow,
    TemplateList,
    TemplateOut,
    plain,
)
from extraction.schema import projects
from extraction.schema.presets import preset, preset_names
from extraction.schema.projects import ProjectDraft, ProjectRead
from jobs.api.access import XApiKey
from jobs.api.idempotent import CreateHeaders, created
from jobs.api.schemas import problems
from jobs.postgres.transactions import committed

router = Router(tags=["projects"])

_VIEW = XApiKey("jobs.view_project")
_ADD = XApiKey("jobs.add_project")


@router.post("", auth=_ADD, response={201: ProjectOut, **problems(400, 409, 413)})
def create_project(
    request: HttpRequest, body: ProjectIn, headers: Header[CreateHeaders]
) -> Status[ProjectOut] | HttpResponse:
    """Create a project; without a schema it gets the preset `default`."""
    given = {name: value for name, value in plain(body).items() if name in ProjectDraft.__slots__}

    def create() -> ProjectOut:
        project_id = projects.project_create(ProjectDraft(**given), actor_id=request.user.pk)
        return ProjectOut.model_validate(projects.project_read(project_id))

    return created(request, headers, 201, create)


@router.post("/from-template", auth=_ADD, response={201: ProjectOut, **problems(400, 404, 409, 413)})
def create_from_template(
    request: HttpRequest, body: FromTemplate, headers: Header[CreateHeaders]
) -> Status[ProjectOut] | HttpResponse:
    """Create a project from a template; customizations replace parts of it."""

    def create() -> ProjectOut:
        project_id = projects.project_from_preset(
            template=body.template,
            name=body.name,
            description=body.description,
            customizations=plain(body.customizations) if body.customizations else None,
            actor_id=request.user.pk,
        )
        return ProjectOut.model_validate(projects.project_read(project_id))

    return created(request, headers, 201, create)


@router.get("", auth=_VIEW, response={200: list[ProjectOut], **problems()})
def list_projects(request: HttpRequest, filters: Query[ProjectFilters]) -> Status[list[ProjectOut]]:
    """List the projects by name."""
    found = projects.projects_read(include_inactive=filters.include_inactive)
    return Status(200, [ProjectOut.model_validate(project) for project in found])


@router.get("/templates", auth=_VIEW, response={200: list[str] | TemplateList, **problems()})
def list_templates(request: HttpRequest, how: Query[TemplateHow]) -> Status[list[str] | TemplateList]:
    """List the templates: their names, or with details=true their contents."""
    names = list(preset_names())
    if not how.details:
        return Status(200, names)
    templates = [TemplateOut.model_validate(preset(name).to_json()) for name in names]
    return Status(200, TemplateList(templates=templates, count=len(templates)))


@router.get("/templates/{name}", auth=_VIEW, response={200: TemplateOut, **problems(404)})
def get_template(request: HttpRequest, name: str) -> Status[TemplateOut]:
    """Return one template."""
    return Status(200, TemplateOut.model_validate(preset(name).to_json()))


@router.get("/{project_id}", auth=_VIEW, response={200: ProjectOut, **problems(404)})
def get_project(request: HttpRequest, project_id: UUID) -> Status[ProjectOut]:
    """Return one project, even if it is deleted."""
    return Status(200, ProjectOut.model_validate(projects.project_read(project_id)))


@router.put(
    "/{project_id}",
    auth=XApiKey("jobs.change_project"),
    response={200: ProjectOut, **problems(400, 404, 409, 413)},
)
def change_project(
    request: HttpRequest, project_id: UUID, how: Query[ChangeHow], body: ProjectChange
) -> Status[ProjectOut]:
    """Change a project. Changing a schema that extractions were made with is refused unless force=true."""

    def change() -> ProjectRead:
        projects.project_change(project_id, plain(body), force=how.force, actor_id=request.user.pk)
        return projects.project_read(project_id)

    return Status(200, ProjectOut.model_validate(committed(change)))


@router.delete("/{project_id}", auth=XApiKey("jobs.delete_project"), response={204: None, **problems(404)})
def delete_project(request: HttpRequest, project_id: UUID) -> Status[None]:
    """Mark a project as deleted; its contents are kept. Repeating the call is harmless."""
    projects.project_delete(project_id)
    return Status(204, None)
