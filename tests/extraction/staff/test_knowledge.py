"""What is known, and the projects, in the admin."""

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.models import SchemaVersion, VectorChange
from jobs.models import Project
from tests.helpers.knowledge import Knowledge

pytestmark = pytest.mark.django_db


def columns_of(client: Client, url: str, table: str) -> str:
    """Return the columns of the statement that loads the rows of the list."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    found = [
        q["sql"] for q in queries.captured_queries if q["sql"].startswith(f'SELECT "{table}"."') and "ORDER" in q["sql"]
    ]
    assert len(found) == 1
    return found[0].partition(" FROM ")[0]


def test_lists_load_neither_texts_nor_data(admin_client: Client, knowledge: Knowledge) -> None:
    knowledge.passage("x" * 5000)
    knowledge.extraction({"name": "probe"})
    passages = columns_of(admin_client, "/admin/extraction/passage/", "extraction_passage")
    preview = 'LEFT("extraction_passage"."text", 160)'
    assert preview in passages
    assert '"extraction_passage"."text"' not in passages.replace(preview, "")
    extractions = columns_of(admin_client, "/admin/extraction/extraction/", "extraction_extraction")
    assert not [name for name in ("data", "evidence", "schema") if f'."{name}"' in extractions]


def test_an_extraction_shows_values_evidence_and_what_is_ungrounded(admin_client: Client, knowledge: Knowledge) -> None:
    row = knowledge.extraction({"name": "<b>probe</b>", "price": 5}, ungrounded=["price"])
    page = admin_client.get(f"/admin/extraction/extraction/{row.pk}/change/").content.decode()
    assert "&lt;b&gt;probe&lt;/b&gt;" in page
    assert "ungrounded" in page
    assert "&quot;quote&quot;: &quot;5&quot;" in page


@pytest.mark.parametrize("model", ["extraction", "passage", "schemaversion", "vectorchange"])
def test_nothing_known_is_written_here(admin_client: Client, knowledge: Knowledge, model: str) -> None:
    extraction = knowledge.extraction({"a": 1})
    keys = {
        "extraction": extraction.pk,
        "passage": knowledge.passage().pk,
        "schemaversion": knowledge.schema.pk,
        "vectorchange": VectorChange.objects.earliest("version").pk,
    }
    base = f"/admin/extraction/{model}/"
    assert admin_client.get(base).status_code == 200
    assert admin_client.get(f"{base}{keys[model]}/change/").status_code == 200
    for path in ("add/", f"{keys[model]}/delete/", f"{keys[model]}/change/"):
        assert admin_client.post(base + path, {"post": "yes"}).status_code == 403


def test_a_project_is_made_from_a_preset(admin_client: Client) -> None:
    form = {"name": "Boats", "description": "", "preset": "default"}
    assert admin_client.post("/admin/jobs/project/add/", form).status_code == 302
    project = Project.objects.get(name="Boats")
    assert SchemaVersion.objects.get(project=project).number == 1
    again = admin_client.post("/admin/jobs/project/add/", form)
    assert "name" in again.context_data["adminform"].form.errors


def change(client: Client, project: Project, **fields: str) -> object:
    """Save the project's form with these fields changed; return the errors."""
    page = client.get(f"/admin/jobs/project/{project.pk}/change/").context_data["adminform"].form
    form = {"name": project.name, "description": "", "is_active": "on", "source_config": "{}", "entity_types": "[]"}
    form |= {"prompt_templates": "{}", "extraction_schema": page["extraction_schema"].value()} | fields
    answer = client.post(f"/admin/jobs/project/{project.pk}/change/", form)
    return answer.context_data["adminform"].form.errors if answer.status_code == 200 else {}


def test_a_changed_schema_is_a_new_version_and_asks_before_extractions_go_stale(
    admin_client: Client, knowledge: Knowledge
) -> None:
    admin_client.post("/admin/jobs/project/add/", {"name": "Boats", "preset": "default"})
    project = Project.objects.get(name="Boats")
    schema = {"name": "boats", "field_groups": [{"name": "boat", "fields": [{"name": "length", "field_type": "text"}]}]}
    assert change(admin_client, project, description="long ones") == {}
    assert SchemaVersion.objects.filter(project=project).count() == 1
    assert "extraction_schema" in change(admin_client, project, extraction_schema='{"name": 5}')
    assert change(admin_client, project, extraction_schema=json.dumps(schema)) == {}
    assert SchemaVersion.objects.filter(project=project).count() == 2
    knowledge.project, knowledge.source.project = project, project
    knowledge.extraction({"length": "3 m"}, project=project)
    schema["name"] = "more_boats"
    assert "replace_schema" in change(admin_client, project, extraction_schema=json.dumps(schema))
    assert SchemaVersion.objects.filter(project=project).count() == 2
    assert change(admin_client, project, extraction_schema=json.dumps(schema), replace_schema="on") == {}
    assert SchemaVersion.objects.filter(project=project).count() == 3


def test_a_project_is_switched_off_not_deleted(admin_client: Client) -> None:
    admin_client.post("/admin/jobs/project/add/", {"name": "Boats", "preset": "default"})
    project = Project.objects.get(name="Boats")
    assert admin_client.post(f"/admin/jobs/project/{project.pk}/delete/", {"post": "yes"}).status_code == 403
    assert change(admin_client, project, is_active="") == {}
    assert not Project.objects.get(name="Boats").is_active
