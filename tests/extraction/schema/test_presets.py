"""The bundled presets are valid schemas and say what there is."""

from __future__ import annotations

import pytest

from extraction.schema.model import ExtractionSchema
from extraction.schema.presets import DEFAULT_PRESET, preset, preset_names
from jobs.errors import NotFound


def test_there_is_a_default_among_them():
    assert DEFAULT_PRESET in preset_names()
    assert {"products", "articles", "organizations", "docs"} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_each_preset_is_whole(name):
    bundled = preset(name)
    assert (bundled.name, bool(bundled.description)) == (name, True)
    assert ExtractionSchema.parse(bundled.schema.to_json()) == bundled.schema
    assert all(group.description and group.prompt_hint for group in bundled.schema.field_groups)
    assert all(field.description for group in bundled.schema.field_groups for field in group.fields)
    assert all(set(kind) == {"name", "description"} for kind in bundled.entity_types)
    assert set(bundled.to_json()) == {"name", "description", "field_groups", "entity_types"}


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(NotFound) as caught:
        preset("../default")
    assert "articles, default, docs" in caught.value.detail
    assert (caught.value.code, caught.value.context["available"]) == ("preset_unknown", list(preset_names()))
