"""What the tests of the kind extract share: a project with the schema SCHEMA, and the crawl that stores its pages."""

import pytest

from extraction.schema.projects import ProjectDraft, project_create
from jobs.ledger import settle
from jobs.models import Project
from jobs.registry.kinds import JobRef
from tests.helpers.extractions import SCHEMA, fetching_job


@pytest.fixture
def project(db: None, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the schema SCHEMA."""
    monkeypatch.setattr(settle, "MIN_WAIT_SECONDS", 0.02)
    return Project.objects.get(pk=project_create(ProjectDraft("Shop", extraction_schema=SCHEMA)))


@pytest.fixture
def crawl(project: Project) -> JobRef:
    """The crawl that stores the pages."""
    return fetching_job(project)
