"""Starting extractions: what is selected, what is refused and with which sentence."""

from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from crawling.models import Source, SourceContent
from extraction.schema.projects import ProjectDraft, project_create
from extraction.work.submission import extract_submit
from jobs.errors import Invalid, NotFound
from jobs.models import Job, Project, WorkItem
from tests.helpers.extractions import SCHEMA

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(db: None) -> Project:
    """A project with the schema SCHEMA and four sources: /a and /b of group x, /c of group y, /gone."""
    project = Project.objects.get(pk=project_create(ProjectDraft("Shop", extraction_schema=SCHEMA)))
    for path, group in (("a", "x"), ("b", "x"), ("c", "y"), ("gone", "y")):
        source = Source.objects.create(project=project, url=f"http://h.test/{path}", source_group=group)
        SourceContent.objects.create(source=source, body=b"", text="")
    Source.objects.filter(url__endswith="gone").update(gone_at=timezone.now())
    return project


def source(path: str) -> Source:
    return Source.objects.get(url=f"http://h.test/{path}")


def selected(job_id: UUID) -> set[str]:
    keys = WorkItem.objects.filter(job_id=job_id).values_list("key", flat=True)
    return {Source.objects.get(pk=key).url.rpartition("/")[2] for key in keys}


def test_everything_that_is_there_is_selected(project: Project) -> None:
    job_id = extract_submit(project_id=project.pk, actor="eve")
    assert selected(job_id) == {"a", "b", "c"}
    job = Job.objects.get(pk=job_id)
    assert (job.kind, job.label, job.events.get().actor) == ("extract", "all sources", "eve")
    assert (job.payload["schema_number"], job.payload["force"]) == (1, False)


def test_groups_and_ids_narrow_it_down(project: Project) -> None:
    assert selected(extract_submit(project_id=project.pk, source_groups=["x"])) == {"a", "b"}
    assert selected(extract_submit(project_id=project.pk, source_ids=[source("c").pk, source("a").pk])) == {"a", "c"}
    both = extract_submit(project_id=project.pk, source_groups=["x"], source_ids=[source("c").pk, source("a").pk])
    assert selected(both) == {"a"}


def test_what_is_done_is_left_out_unless_forced(project: Project) -> None:
    Source.objects.filter(pk=source("a").pk).update(extracted_version=1)
    Source.objects.filter(pk=source("b").pk).update(extracted_version=7)  # by another version: stale
    assert selected(extract_submit(project_id=project.pk)) == {"b", "c"}
    assert selected(extract_submit(project_id=project.pk, force=True)) == {"a", "b", "c"}
    assert selected(extract_submit(project_id=project.pk, field_groups=["page"])) == {"a", "b", "c"}


def test_nothing_to_extract_is_refused_with_what_to_do(project: Project) -> None:
    other = Project.objects.create(name="Other")
    for asked in (
        {"project_id": project.pk, "source_groups": ["z"]},
        {"project_id": project.pk, "source_ids": [uuid4()]},
        {"project_id": project.pk, "source_ids": [source("gone").pk], "force": True},
        {"project_id": other.pk, "source_ids": [source("a").pk]},
    ):
        with pytest.raises(Invalid) as caught:
            extract_submit(**asked)
        assert caught.value.code == "nothing_to_extract"
        assert "force=true" in caught.value.detail
    assert not Job.objects.exists()


def test_an_unknown_field_group_is_refused_with_those_there_are(project: Project) -> None:
    with pytest.raises(Invalid) as caught:
        extract_submit(project_id=project.pk, field_groups=["page", "nonsense"])
    assert caught.value.code == "unknown_field_group"
    assert caught.value.detail == "The schema has no field group nonsense. It has: product, page."


def test_unknown_and_deleted_projects_are_not_found(project: Project) -> None:
    Project.objects.update(is_active=False)
    for project_id in (project.pk, uuid4()):
        with pytest.raises(NotFound):
            extract_submit(project_id=project_id)


def test_more_sources_than_one_chunk(project: Project) -> None:
    Source.objects.bulk_create(Source(project=project, url=f"http://h.test/{n}") for n in range(1200))
    rows = Source.objects.filter(content__isnull=True)
    SourceContent.objects.bulk_create(SourceContent(source=row, body=b"", text="") for row in rows)
    job_id = extract_submit(project_id=project.pk)
    assert WorkItem.objects.filter(job_id=job_id).count() == 1203
