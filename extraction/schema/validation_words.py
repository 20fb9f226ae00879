"""Mistakes in a schema as sentences: where it is, what is wrong, what to do."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

_KEYS = {
    0: "name, version, field_groups",
    1: "name, description, prompt_hint, is_entity_list, max_items, fields",
    2: "name, field_type, description, required, default, enum_values, merge_strategy, schema_org, selector, pattern",
}


def schema_error_detail(error: ValidationError) -> str:
    """Return one sentence that names the place of the first mistake and its remedy, and counts the others."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    # A list whose item is wrong is reported as too short as well: only the item is worth a sentence.
    places = [problem["loc"] for problem in problems]
    problems = [p for p in problems if not any(p["loc"] == q[: len(p["loc"])] and p["loc"] != q for q in places)]
    first = problems[0]
    sentence = f"{_path(first['loc'])} {_remedy(first)}"
    others = len(problems) - 1
    if others:
        sentence += f" ({others} more mistake{'s' if others > 1 else ''} after it)"
    return sentence.rstrip(".") + "."


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.lstrip(".") or "The extraction schema"


def _remedy(problem: Any) -> str:
    location, message = problem["loc"], str(problem["msg"])
    match problem["type"]:
        case "missing":
            return "is missing; add it"
        case "extra_forbidden":
            depth = sum(isinstance(step, int) for step in location)
            return f"is not a known key; remove it or use one of: {_KEYS.get(depth, _KEYS[2])}"
        case "model_type" | "dict_type" | "model_attributes_type":
            return "must be a JSON object"
        case "string_pattern_mismatch":
            return "must start with a letter and contain only letters, digits, _ and - (at most 64 in all); rename it"
        case "value_error":
            return message.removeprefix("Value error, ")
    return f"is wrong: {message[:1].lower()}{message[1:]}; correct it"
