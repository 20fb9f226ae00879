"""Finding projects by name or id."""

from uuid import UUID

from jobs.errors import NotFound
from jobs.models import Project

DEFAULT_PROJECT = "default"


def project_named(name: str) -> UUID:
    """Return the id of the active project of this name; `default` is created when it is missing.

    Raises: NotFound, naming the active projects.
    """
    found = Project.objects.filter(name=name).values_list("pk", "is_active").first()
    if found is None and name == DEFAULT_PROJECT:
        project, _ = Project.objects.get_or_create(name=name)
        return project.pk
    if found is None or not found[1]:
        known = list(Project.objects.filter(is_active=True).values_list("name", flat=True)[:20])
        raise NotFound(f"There is no project {name!r}. Active projects: {', '.join(known) or 'none yet'}.")
    return found[0]


def project_require(project_id: UUID) -> None:
    """Do nothing if the project exists and is active. Raises: NotFound."""
    active = Project.objects.filter(pk=project_id).values_list("is_active", flat=True).first()
    if active is None:
        raise NotFound(f"There is no project {project_id}. List the projects to find the right id.")
    if not active:
        raise NotFound(f"Project {project_id} was deleted. Use another project.")
