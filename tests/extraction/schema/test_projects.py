"""Projects and the versions of their schemas."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from crawling.models import Source
from extraction.models import Extraction, SchemaVersion
from extraction.schema.presets import preset
from extraction.schema.projects import ProjectDraft, project_create
from extraction.schema.versions import schema_current, schema_save
from jobs.errors import Conflict, Invalid, NotFound
from jobs.models import Project
from tests.helpers.extractions import SCHEMA
from tests.helpers.threads import Side

pytestmark = pytest.mark.django_db
CHANGED = {**SCHEMA, "field_groups": SCHEMA["field_groups"][:1]}


def create(name: str = "Shop", **fields: Any) -> Project:
    return Project.objects.get(pk=project_create(ProjectDraft(name, **({"extraction_schema": SCHEMA} | fields))))


def test_a_project_without_a_schema_gets_the_default_preset() -> None:
    project = create(extraction_schema=None)
    version = schema_current(project.pk)
    assert (version.number, version.schema) == (1, preset("default").schema.to_json())
    assert [kind["name"] for kind in project.entity_types] == [kind["name"] for kind in preset("default").entity_types]


def test_its_own_schema_brings_no_foreign_entity_types() -> None:
    project = create()
    assert project.entity_types == []
    assert [group["name"] for group in schema_current(project.pk).schema["field_groups"]] == ["product", "page"]
    assert create("Other", entity_types=[{"name": "person"}]).entity_types == [{"name": "person"}]


@pytest.mark.parametrize("name", ["", "  ", "\x00", "n" * 201])
def test_a_name_is_needed(name: str) -> None:
    with pytest.raises(Invalid):
        create(name)
    assert not Project.objects.exists()


def test_a_taken_name_is_a_conflict() -> None:
    create(" Shop ")
    with pytest.raises(Conflict) as caught:
        create("Shop")
    assert caught.value.code == "name_taken"
    assert "'Shop'" in caught.value.detail
    assert SchemaVersion.objects.count() == 1


def test_a_broken_schema_is_refused_before_anything_is_written() -> None:
    with pytest.raises(Invalid) as caught:
        create(
            extraction_schema={
                "name": "x",
                "field_groups": [{"name": "g", "fields": [{"name": "f", "field_type": "?"}]}],
            }
        )
    assert caught.value.code == "schema_invalid"
    assert not Project.objects.exists()


def test_hostile_text_is_stored() -> None:
    project = create("Sh\x00op", description="a\x00\ud800", source_config={"k\x00": ["\x00"]})
    project.refresh_from_db()
    assert (project.name, project.description, project.source_config) == ("Shop", "a?", {"k": [""]})


def test_a_project_made_elsewhere_has_a_schema_as_well() -> None:
    project = Project.objects.create(name="made by hand")
    assert schema_current(project.pk) == schema_current(project.pk)
    assert SchemaVersion.objects.get().schema == preset("default").schema.to_json()


def test_unknown_projects_are_not_found() -> None:
    for call in (lambda: schema_current(uuid4()), lambda: schema_save(uuid4(), SCHEMA)):
        with pytest.raises(NotFound):
            call()


def test_every_change_is_a_new_version_and_no_change_is_none() -> None:
    project = create()
    first = schema_current(project.pk)
    assert schema_save(project.pk, SCHEMA).pk == first.pk
    second = schema_save(project.pk, CHANGED)
    assert (second.number, schema_current(project.pk).pk) == (2, second.pk)
    back = schema_save(project.pk, SCHEMA)
    assert (back.number, back.schema) == (3, first.schema)
    assert SchemaVersion.objects.get(pk=first.pk).schema == first.schema


def test_a_schema_in_use_is_changed_by_force_only() -> None:
    project = create()
    source = Source.objects.create(project=project, url="http://h.test/")
    version = schema_current(project.pk)
    row = Extraction.objects.create(
        project=project, source=source, schema_version=version, field_group="page", data={}, evidence={},
        confidence=1.0, extracted_at=timezone.now(),
    )  # fmt: skip
    assert schema_save(project.pk, SCHEMA).number == 1  # the same one is no change
    with pytest.raises(Conflict) as caught:
        schema_save(project.pk, CHANGED)
    assert caught.value.code == "schema_in_use"
    assert "force=true" in caught.value.detail
    assert schema_save(project.pk, CHANGED, force=True).number == 2
    row.refresh_from_db()
    assert row.schema_version_id == version.pk


@pytest.mark.django_db(transaction=True)
def test_two_changes_at_once_are_two_versions(in_thread: Callable[..., Side]) -> None:
    project = create()
    with transaction.atomic():
        schema_save(project.pk, CHANGED)
        side = in_thread(schema_save, project.pk, {**SCHEMA, "field_groups": SCHEMA["field_groups"][1:]})
        side.wait_blocked()
    assert side.result().number == 3


@pytest.mark.django_db(transaction=True)
def test_two_projects_of_one_name_at_once(in_thread: Callable[..., Side]) -> None:
    with transaction.atomic():
        create()
        side = in_thread(project_create, ProjectDraft("Shop"))
        side.wait_blocked()
    with pytest.raises(Conflict, match="already a project"):
        side.result()
    assert SchemaVersion.objects.count() == 1
