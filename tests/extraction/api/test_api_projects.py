"""Projects and templates over REST."""

import pytest
from django.utils import timezone

from crawling.models import Source
from extraction.models import Extraction, SchemaVersion
from extraction.schema.presets import preset, preset_names
from jobs.models import Job, Project
from tests.helpers.api_client import problem_of

FIELDS = {
    "id",
    "name",
    "description",
    "source_config",
    "extraction_schema",
    "entity_types",
    "prompt_templates",
    "is_template",
    "is_active",
    "created_at",
}
SCHEMA = {"name": "shops", "field_groups": [{"name": "product", "fields": [{"name": "price", "field_type": "money"}]}]}


def create(api, **fields):
    """Create a project and return it."""
    reply = api.post("/projects", {"name": "Instruments", **fields})
    assert reply.status_code == 201, reply.content
    return reply.json()


def test_a_project_with_nothing_but_a_name(api):
    project = create(api)
    assert project.keys() >= FIELDS
    assert project["extraction_schema"] == preset("default").schema.to_json()
    assert project["entity_types"] == [dict(one) for one in preset("default").entity_types]
    assert (project["source_config"], project["prompt_templates"], project["description"]) == ({}, {}, "")
    assert (project["is_active"], project["is_template"]) == (True, False)
    assert project["created_at"].endswith("Z")
    assert api.get(f"/projects/{project['id']}").json() == project
    assert SchemaVersion.objects.get().created_by.username == "chief"


def test_every_optional_field_may_be_null(api):
    names = "description extraction_schema source_config entity_types prompt_templates profile"
    names += " language_detection_enabled include_merge_metadata"
    assert create(api, **dict.fromkeys(names.split()))["extraction_schema"]["name"] == "default"


def test_a_project_with_everything(api):
    given = {
        "description": "Things that measure",
        "extraction_schema": SCHEMA,
        "source_config": {"depth": 3, "nothing": None},
        "entity_types": [{"name": "maker", "description": None, "rank": 1}],
        "prompt_templates": {"product": "Only new ones"},
    }
    project = create(api, **given)
    assert project["extraction_schema"]["field_groups"][0]["fields"][0]["name"] == "price"
    for name in ("description", "source_config", "entity_types", "prompt_templates"):
        assert project[name] == given[name]


def test_a_bad_schema_is_told_with_its_place(api):
    problem = problem_of(
        api.post("/projects", {"name": "n", "extraction_schema": {"name": "x", "field_groups": []}}), 422
    )
    assert problem["code"] == "schema_invalid"
    assert "field_groups" in problem["detail"]
    assert not Project.objects.exists()


def test_a_name_that_is_taken_or_blank(api):
    create(api)
    problem_of(api.post("/projects", {"name": " Instruments "}), 409, "name_taken")
    problem_of(api.post("/projects", {"name": "   "}), 422)
    problem_of(api.post("/projects", {"name": "x" * 201}), 422)
    assert Project.objects.count() == 1


def test_the_list_is_a_plain_list_by_name(api):
    for name in ("b", "a", "c"):
        create(api, name=name)
    Project.objects.filter(name="c").update(is_active=False)
    assert [project["name"] for project in api.get("/projects").json()] == ["a", "b"]
    shown = api.get("/projects", include_inactive="true").json()
    assert [(project["name"], project["is_active"]) for project in shown] == [("a", True), ("b", True), ("c", False)]
    assert api.get("/projects", include_inactive="false").json() == api.get("/projects").json()


def test_listing_takes_two_queries_however_many_projects(api, django_assert_max_num_queries):
    for number in range(5):
        create(api, name=f"p{number}")
    with django_assert_max_num_queries(6):  # two of them, the rest is the key and its user
        assert len(api.get("/projects").json()) == 5


def test_a_project_without_a_stored_schema_has_the_default(api):
    project = Project.objects.create(name="made by a command")
    assert api.get(f"/projects/{project.pk}").json()["extraction_schema"]["name"] == "default"
    assert not SchemaVersion.objects.exists()  # reading writes nothing


def test_changing_what_is_given_and_nothing_else(api):
    project = create(api, description="old", source_config={"a": 1})
    path = f"/projects/{project['id']}"
    changed = api.send("PUT", path, {"description": "new", "name": None}).json()
    assert changed == project | {"description": "new"}
    assert api.send("PUT", path, {"description": ""}).json()["description"] == ""
    assert api.send("PUT", path, {"source_config": {}}).json()["source_config"] == {}
    assert api.send("PUT", path, {}).json()["name"] == "Instruments"


def test_a_changed_schema_becomes_a_version(api):
    project = create(api)
    path = f"/projects/{project['id']}"
    changed = api.send("PUT", path, {"extraction_schema": SCHEMA}).json()
    assert (changed["schema_version"], changed["extraction_schema"]["name"]) == (2, "shops")
    assert api.send("PUT", path, {"extraction_schema": SCHEMA}).json()["schema_version"] == 2


def test_a_changed_schema_over_extractions_needs_force(api):
    project = create(api)
    source = Source.objects.create(project_id=project["id"], url="https://a.example/")
    Extraction.objects.create(
        project_id=project["id"],
        source=source,
        schema_version=SchemaVersion.objects.get(),
        field_group="page",
        data={},
        evidence={},
        confidence=1.0,
        extracted_at=timezone.now(),
    )
    path = f"/projects/{project['id']}"
    change = {"extraction_schema": SCHEMA, "description": "new"}
    problem = problem_of(api.send("PUT", path, change), 409, "schema_in_use")
    assert "force=true" in problem["detail"]
    assert api.get(path).json()["description"] == ""  # all or nothing
    assert api.send("PUT", path, change, force="true").json()["schema_version"] == 2


def test_renaming_to_a_name_that_is_taken(api):
    create(api, name="other")
    project = create(api)
    path = f"/projects/{project['id']}"
    problem_of(api.send("PUT", path, {"name": "other"}), 409, "name_taken")
    problem_of(api.send("PUT", path, {"name": "  "}), 422)
    assert api.send("PUT", path, {"name": " new "}).json()["name"] == "new"
    assert api.send("PUT", path, {"name": "new"}).json()["name"] == "new"


def test_deleting_is_soft_harmless_to_repeat_and_can_be_undone(api):
    project = create(api)
    path = f"/projects/{project['id']}"
    for _ in range(2):
        reply = api.send("DELETE", path)
        assert (reply.status_code, reply.content) == (204, b"")
    assert api.get("/projects").json() == []
    assert api.get(path).json()["is_active"] is False
    crawl = {"url": "https://a.example/", "project_id": project["id"]}
    problem_of(api.post("/crawl", crawl), 404, "not_found")
    assert not Job.objects.exists()
    assert api.send("PUT", path, {"is_active": True}).json()["is_active"] is True


def test_templates(api):
    names = api.get("/projects/templates").json()
    assert names == list(preset_names())
    assert "default" in names
    assert api.get("/projects/templates", details="false").json() == names
    detailed = api.get("/projects/templates", details="true").json()
    assert detailed["count"] == len(names)
    assert [template["name"] for template in detailed["templates"]] == names
    assert detailed["templates"][0].keys() == {"name", "description", "field_groups", "entity_types"}
    assert api.get(f"/projects/templates/{names[0]}").json() == detailed["templates"][0]


def test_an_unknown_template_is_404_and_names_the_others(api):
    problem = problem_of(api.get("/projects/templates/nonsense"), 404)
    assert problem["available"] == list(preset_names())
    assert all(name in problem["detail"] for name in preset_names())
    body = {"template": "nonsense", "name": "n"}
    assert "default" in problem_of(api.post("/projects/from-template", body), 404)["detail"]


def test_a_project_from_a_template(api):
    body = {"template": "products", "name": "Shop", "description": None, "customizations": None}
    reply = api.post("/projects/from-template", body)
    assert reply.status_code == 201
    project = reply.json()
    assert project["extraction_schema"]["field_groups"] == preset("products").to_json()["field_groups"]
    assert project["entity_types"] == preset("products").to_json()["entity_types"]
    assert (project["description"], project["is_template"]) == (preset("products").description, False)
    problem_of(api.post("/projects/from-template", body), 409, "name_taken")


def test_a_project_from_a_template_with_customizations(api):
    custom = {"extraction_schema": {"name": "mine"}, "entity_types": [{"name": "maker"}], "source_config": {"a": None}}
    body = {"template": "products", "name": "Shop", "description": "d", "customizations": custom}
    project = api.post("/projects/from-template", body).json()
    assert project["extraction_schema"]["name"] == "mine"
    assert project["extraction_schema"]["field_groups"] == preset("products").to_json()["field_groups"]
    assert (project["entity_types"], project["source_config"]) == ([{"name": "maker"}], {"a": None})
    body = {"template": "products", "name": "Other", "customizations": {"colour": 1}}
    assert "customizations.colour" in problem_of(api.post("/projects/from-template", body), 422)["detail"]


@pytest.mark.parametrize(
    "change", [{"name": 1}, {"entity_types": [{"name": ""}]}, {"extraction_schema": {"x": 1}}, {"id": "1"}]
)
def test_bad_changes_change_nothing(api, change):
    project = create(api)
    path = f"/projects/{project['id']}"
    problem_of(api.send("PUT", path, change), 422)
    assert api.get(path).json() == project
