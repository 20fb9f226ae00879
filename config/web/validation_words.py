"""Validation errors as one sentence for whoever made the request. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

SHOWN_ERRORS = 20

_SUBJECT = re.compile(
    r"^(Input|String|List|Value|Dictionary|Data|Number|URL|Object|Set|Tuple)\b ?(should|must|exceeds)?"
)


def validation_sentence(errors: Sequence[Mapping[str, Any]]) -> tuple[str, str, list[dict[str, str]]]:
    """Return the sentence for the first error, a code, and each error's `field` and `message`.

    errors: as pydantic makes them, each `loc` beginning with body, query, path or header.
    code: `malformed_id` when the path's id is wrong, else `invalid`.
    """
    named = [{"field": _field(error["loc"]), "message": _message(error)} for error in errors[:SHOWN_ERRORS]]
    others = len(errors) - 1
    more = f" ({others} more mistake{'s' if others > 1 else ''} after it)" if others else ""
    sentence = f"{named[0]['field']} {named[0]['message']}".rstrip(".") + f"{more}."
    first = errors[0]["loc"]
    code = "malformed_id" if first and first[0] == "path" else "invalid"
    return sentence, code, named


def _field(location: Sequence[str | int]) -> str:
    """Return where the mistake is, such as `entity_types[0].name`; the name of the body's parameter is left out."""
    steps = list(location)
    if steps and steps[0] == "body":
        steps = steps[2:]
    elif steps:
        steps = steps[1:]
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.lstrip(".") or "The request body"


def _message(error: Mapping[str, Any]) -> str:
    kind, message = str(error["type"]), str(error["msg"])
    match kind:
        case "missing":
            return "is missing; send it as a JSON object" if len(error["loc"]) <= 2 else "is missing; add it"
        case "extra_forbidden":
            return "is not a known field; remove it"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be a JSON object"
        case "uuid_parsing" | "uuid_type":
            return "is not an id; copy one from a list, such as 0190a5b2-0000-7000-8000-000000000000"
        case "bool_parsing" | "bool_type":
            return "must be true or false"
        case "value_error":
            return message.removeprefix("Value error, ")
    subject = _SUBJECT.match(message)
    if subject:
        rest = message[subject.end() :].strip()
        return f"{'must' if subject[2] != 'exceeds' else 'exceeds'} {rest}" if subject[2] else f"is wrong: {rest}"
    return f"is wrong: {message[:1].lower()}{message[1:]}"
