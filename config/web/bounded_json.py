"""Reading request bodies and query strings: bounded, and nothing that the database could not store."""

import json
import math
from typing import Any, NoReturn

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser

from jobs.errors import Invalid

MAX_DEPTH = 50


class BoundedParser(Parser):
    """Reads JSON up to MAX_DEPTH levels deep, without NaN, infinity, NUL or lone surrogates."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Return the decoded body. Raises: Invalid (code malformed_json, too_deep, bad_text)."""
        try:
            value = json.loads(request.body, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise _too_deep() from error
        except ValueError as error:
            raise _malformed(error) from error
        _check(value)
        return value

    def parse_querydict(
        self, data: "MultiValueDict[str, Any]", list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        """Return the parameters that have a value; an empty one counts as not sent, as when a client sends null.

        Raises: Invalid (code bad_text).
        """
        found: dict[str, Any] = {}
        for name, values in data.lists():
            given = [value for value in values if value != ""]
            if given and all(isinstance(value, str) for value in given):
                _check(given)
            if given:
                found[name] = given if name in list_fields else given[-1]
        return found


def _check(value: Any) -> None:
    """Look at everything in a decoded value, level by level. Raises: Invalid."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _checked_parts(one)]
        if not level:
            return
    raise _too_deep()


def _checked_parts(value: Any) -> list[Any]:
    """Return what lies directly within a value that was found sound."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        return [*value.keys(), *value.values()]
    elif isinstance(value, list):
        return value
    elif isinstance(value, float) and not math.isfinite(value):
        raise Invalid("The request contains a number too large to store; send a smaller one.", code="bad_number")
    return []


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Invalid(
            "The request contains a lone surrogate, which is not valid text; remove it.", code="bad_text"
        ) from error
    if "\x00" in text:
        raise Invalid("The request contains a NUL character, which cannot be stored; remove it.", code="bad_text")


def _refuse_constant(name: str) -> NoReturn:
    raise Invalid(f"The request body contains {name}, which is not JSON; send a number or null.", code="malformed_json")


def _malformed(error: ValueError) -> Invalid:
    where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
    return Invalid(f"The request body is not JSON{where}; correct it and send it again.", code="malformed_json")


def _too_deep() -> Invalid:
    return Invalid(f"The request body is nested more than {MAX_DEPTH} levels deep; flatten it.", code="too_deep")
