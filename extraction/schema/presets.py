"""The bundled extraction schemas a project can start from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from extraction.schema.model import ExtractionSchema
from jobs.errors import NotFound

DEFAULT_PRESET = "default"


@dataclass(frozen=True, slots=True)
class Preset:
    """A named schema, with the kinds of entities that such projects collect."""

    name: str
    description: str
    schema: ExtractionSchema
    entity_types: tuple[dict[str, str], ...]  #: each with `name` and `description`

    def to_json(self) -> dict[str, Any]:
        """Return name, description, field_groups and entity_types as JSON data."""
        return {
            "name": self.name,
            "description": self.description,
            "field_groups": self.schema.to_json()["field_groups"],
            "entity_types": [dict(entity_type) for entity_type in self.entity_types],
        }


def preset_names() -> tuple[str, ...]:
    """Return the names of all presets, in alphabetical order."""
    return tuple(sorted(_sources()))


def preset(name: str) -> Preset:
    """Return the preset called `name`. Raises: NotFound (code preset_unknown), naming the available ones."""
    if name not in _sources():
        names = preset_names()
        detail = f"There is no preset {name!r}; use one of: {', '.join(names)}."
        raise NotFound(detail, code="preset_unknown", available=list(names))
    return _load(name)


@cache
def _sources() -> dict[str, Any]:
    folder = resources.files("extraction") / "presets"
    return {entry.name.removesuffix(".yaml"): entry for entry in folder.iterdir() if entry.name.endswith(".yaml")}


@cache
def _load(name: str) -> Preset:
    raw = yaml.safe_load(_sources()[name].read_text(encoding="utf-8"))
    return Preset(
        name=raw["name"],
        description=raw["description"],
        schema=ExtractionSchema.parse({"name": raw["name"], "field_groups": raw["field_groups"]}),
        entity_types=tuple(raw["entity_types"]),
    )
