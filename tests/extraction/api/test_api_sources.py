"""Sources, extractions and starting extractions over REST."""

from uuid import UUID

import pytest
from django.utils import timezone

from crawling.models import Source, SourceContent
from extraction.api.schemas_sources import MAX_NAMES, MAX_ROWS
from extraction.models import Extraction
from extraction.schema.versions import schema_current
from jobs.models import Job, Project
from tests.helpers.api_client import problem_of


@pytest.fixture
def project(db):
    return Project.objects.create(name="Sources")


def make_source(project, number, *, group="docs", status="ready", **fields):
    source = Source.objects.create(
        project=project, url=f"https://a.example/{number}", source_group=group, status=status, **fields
    )
    SourceContent.objects.create(source=source, body=b"", text="Some text.")
    return source


def make_extraction(source, group="page", *, index=0, confidence=0.9):
    return Extraction.objects.create(
        project_id=source.project_id,
        source=source,
        schema_version=schema_current(source.project_id),
        field_group=group,
        entity_index=index,
        data={"title": "<b>Text</b>"},
        evidence={"title": {"kind": "text", "quote": "Text", "start": 0, "end": 4}},
        confidence=confidence,
        ungrounded=["author"],
        extracted_at=timezone.now(),
    )


def test_sources_page_by_page(api, project):
    made = [make_source(project, number, title="<i>") for number in range(5)]
    make_source(Project.objects.create(name="other"), 1)
    path = f"/projects/{project.pk}/sources"
    first, rest = api.get(path, limit=2).json(), api.get(path, limit=1000, offset=2).json()
    assert (first["total"], first["limit"], first["offset"]) == (5, 2, 0)
    assert [source["id"] for source in first["sources"] + rest["sources"]] == [str(source.pk) for source in made]
    shown = first["sources"][0]
    assert (shown["uri"], shown["title"], shown["fetched_at"]) == ("https://a.example/0", "<i>", None)
    assert shown["created_at"].endswith("Z")
    assert shown.keys() >= {"source_group", "source_type", "status"}


def test_sources_by_group_status_and_type(api, project):
    make_source(project, 1)
    make_source(project, 2, group="blog", status="extracted")
    path = f"/projects/{project.pk}/sources"

    def found(**query):
        return [source["uri"][-1] for source in api.get(path, **query).json()["sources"]]

    assert found(source_group="blog") == ["2"]
    assert found(status="ready") == ["1"]
    assert found(source_type="web") == ["1", "2"]
    assert found(source_type="file") == found(source_group="blog", status="ready") == []
    assert found(source_group="", status="") == ["1", "2"]
    for query in ({"status": "new"}, {"limit": 0}, {"limit": 1001}, {"offset": -1}, {"source_group": "x" * 201}):
        problem_of(api.get(path, **query), 422)


def test_the_summary_adds_up(api, project):
    for number in range(3):
        make_source(project, number)
    make_source(project, 3, group="blog", status="extracted")
    assert api.get(f"/projects/{project.pk}/sources/summary").json() == {
        "total_sources": 4,
        "by_status": [{"status": "extracted", "count": 1}, {"status": "ready", "count": 3}],
        "by_source_group": [{"source_group": "blog", "count": 1}, {"source_group": "docs", "count": 3}],
    }


def test_the_summary_of_nothing(api, project):
    assert api.get(f"/projects/{project.pk}/sources/summary").json() == {
        "total_sources": 0,
        "by_status": [],
        "by_source_group": [],
    }


def test_extractions_with_their_evidence(api, project):
    row = make_extraction(make_source(project, 1))
    body = api.get(f"/projects/{project.pk}/extractions").json()
    assert (body["total"], body["limit"], body["offset"]) == (1, 100, 0)
    shown = body["extractions"][0]
    assert shown.pop("extracted_at").endswith("Z") and shown.pop("created_at").endswith("Z")
    assert shown == {
        "id": str(row.pk),
        "source_id": str(row.source_id),
        "data": {"title": "<b>Text</b>"},
        "extraction_type": "page",
        "source_group": "docs",
        "confidence": 0.9,
        "source_uri": "https://a.example/1",
        "entity_index": 0,
        "evidence": {"title": {"kind": "text", "quote": "Text", "start": 0, "end": 4}},
        "ungrounded": ["author"],
        "schema_version": 1,
    }


def test_extractions_by_everything(api, project):
    one, two = make_source(project, 1), make_source(project, 2, group="blog")
    made = [make_extraction(one), make_extraction(one, "product", confidence=0.5), make_extraction(two)]
    names = {str(row.pk): number for number, row in enumerate(made)}

    def found(**query):
        reply = api.get(f"/projects/{project.pk}/extractions", **query).json()
        assert reply["total"] >= len(reply["extractions"])
        return [names[row["id"]] for row in reply["extractions"]]

    assert found() == [0, 1, 2]
    assert found(source_id=str(one.pk)) == [0, 1]
    assert found(extraction_type="page") == [0, 2]
    assert found(source_group="blog") == [2]
    assert found(min_confidence="0.6") == [0, 2]
    assert found(min_confidence="0.5") == [0, 1, 2]
    assert found(limit=1, offset=1) == [1]
    assert found(source_id=str(UUID(int=1))) == []
    for query in ({"source_id": "x"}, {"min_confidence": "2"}, {"min_confidence": "nan"}, {"limit": "1001"}):
        problem_of(api.get(f"/projects/{project.pk}/extractions", **query), 422)


@pytest.mark.parametrize("what", ["sources", "sources/summary", "extractions"])
def test_a_deleted_project_shows_nothing(api, project, what):
    Project.objects.update(is_active=False)
    problem_of(api.get(f"/projects/{project.pk}/{what}"), 404, "not_found")


@pytest.mark.parametrize("body", [None, {}, b"null", {"source_ids": None, "force": None, "source_groups": None}])
def test_an_extraction_of_all_that_is_not_done(api, project, body):
    for number in range(3):
        make_source(project, number)
    make_source(project, 9, extracted_version=1)
    reply = api.post(f"/projects/{project.pk}/extract", body)
    assert reply.status_code == 202
    assert reply.json() == {
        "job_id": str(Job.objects.get().pk),
        "status": "queued",
        "source_count": 3,
        "project_id": str(project.pk),
        "warnings": [],
    }


def test_an_extraction_of_some(api, project):
    one, two = make_source(project, 1), make_source(project, 2, extracted_version=1)
    path = f"/projects/{project.pk}/extract"
    ids = [str(one.pk), str(two.pk), str(one.pk)]
    reply = api.post(path, {"source_ids": ids, "field_groups": None, "profile": "p"}).json()
    assert reply["source_count"] == 1
    assert reply["warnings"][0].startswith("profile")
    assert reply["warnings"][1].startswith("1 of the source_ids")
    reply = api.post(path, {"source_ids": ids, "force": True}).json()
    assert (reply["source_count"], reply["warnings"]) == (2, [])
    assert api.post(path, {"source_groups": ["docs"], "field_groups": ["page"]}).json()["source_count"] == 2


def test_nothing_to_extract_is_told(api, project):
    problem = problem_of(api.post(f"/projects/{project.pk}/extract"), 422, "nothing_to_extract")
    assert "force=true" in problem["detail"]
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"source_ids": ["x"]},
        {"source_ids": "x"},
        {"source_ids": [str(UUID(int=1))] * 10_001},
        {"field_groups": ["nonsense"]},
        {"force": "perhaps"},
        {"source_groups": [1]},
        {"sources": []},
        [],
    ],
)
def test_bad_wishes_are_422(api, project, body):
    make_source(project, 1)
    problem_of(api.post(f"/projects/{project.pk}/extract", body), 422)
    assert not Job.objects.exists()


@pytest.mark.parametrize("what", ["sources", "extractions"])
def test_a_list_shows_no_more_rows_than_the_limit(api, project, what):
    assert api.get(f"/projects/{project.pk}/{what}", limit=MAX_ROWS).json()["limit"] == MAX_ROWS
    problem_of(api.get(f"/projects/{project.pk}/{what}", limit=MAX_ROWS + 1), 422)


def test_an_extraction_takes_no_more_names_than_the_limit(api, project):
    make_source(project, 1)
    path, names = f"/projects/{project.pk}/extract", ["docs"] * MAX_NAMES
    assert api.post(path, {"source_groups": names}).status_code == 202
    for field in ("source_groups", "field_groups"):
        assert f"{MAX_NAMES}" in problem_of(api.post(path, {field: [*names, "docs"]}), 422)["detail"]
