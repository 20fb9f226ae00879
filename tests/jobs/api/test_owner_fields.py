"""The fields that owners add to replies: all of them, or none is defined."""

import pytest
from django.apps import apps
from django.core.exceptions import AppRegistryNotReady

from jobs.api.owner_fields import deleted_fields, held_fields, with_numbers
from jobs.api.schemas import Reply
from jobs.registry.owners import ReplyField

THINGS = ReplyField("things_deleted", "How many things.")


def test_each_field_is_a_number_with_its_description() -> None:
    @with_numbers(lambda: [THINGS])
    class Stats(Reply):
        """Some numbers."""

        others: int

    schema = Stats.model_json_schema()
    assert schema["description"] == "Some numbers."
    assert schema["properties"]["things_deleted"]["type"] == "integer"
    assert schema["properties"]["things_deleted"]["description"] == "How many things."
    assert set(schema["required"]) == {"others", "things_deleted"}


def test_a_reply_defined_too_early_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps, "ready", False)

    class Stats(Reply):
        """Some numbers."""

    with pytest.raises(AppRegistryNotReady, match="Stats is defined before"):
        with_numbers(lambda: [THINGS])(Stats)


def test_the_owners_say_the_fields_of_the_contract() -> None:
    assert {kind: field.name for kind, field in deleted_fields().items()} == {
        "sources": "sources_deleted",
        "extractions": "extractions_deleted",
        "vectors": "embeddings_deleted",
    }
    assert [field.name for field in held_fields().values()] == ["sources_to_cleanup"]
