"""JSON as pages really write it: comments, control characters, trailing commas, objects in a row."""

from __future__ import annotations

import json
import re
from typing import Any

from jobs.errors import QuarryError

_WRAPPERS = re.compile(r"<!--|-->|<!\[CDATA\[|\]\]>|/\*\s*(?:<!\[CDATA\[|\]\]>)?\s*\*/")
_STRING = r'"(?:[^"\\]|\\.)*+"'
_COMMENT = re.compile(rf"({_STRING})|/\*.*?\*/|(?<![:\w])//[^\n]*", re.S)
_TRAILING_COMMA = re.compile(rf"({_STRING})|,(?=\s*(?:[}}\]]|$))", re.S)
_DOUBLE_COMMA = re.compile(rf"({_STRING})|,(?=\s*,)", re.S)
_ESCAPE = re.compile(r'(\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))|\\')
_BETWEEN = re.compile(r"[\s,;]*")


class BrokenJson(QuarryError):
    """No known repair makes this JSON readable"""

    code = "broken_json"


def load_json(source: str) -> Any:
    """Return the JSON data in `source`, repaired if need be; several documents in a row become a list.

    Numbers are returned as the strings they were written as (19.90 stays 19.90).
    Raises: BrokenJson.
    """
    text = source.strip().lstrip("\ufeff").rstrip(";").strip()
    try:
        return _loads(text)
    except ValueError:
        pass
    except RecursionError as error:
        raise BrokenJson("it is nested too deeply") from error
    return _documents(_repair(text))


def _loads(text: str) -> Any:
    return _DECODER.decode(text)


def _number_text(written: str) -> str:
    return written


_DECODER = json.JSONDecoder(
    strict=False, parse_float=_number_text, parse_int=_number_text, parse_constant=lambda name: None
)


def _repair(text: str) -> str:
    text = _WRAPPERS.sub(" ", text)
    for fault in (_COMMENT, _DOUBLE_COMMA, _TRAILING_COMMA):
        text = fault.sub(lambda match: match[1] or " ", text)  # group 1 is a whole string, left alone
    text = _ESCAPE.sub(lambda match: match[1] or "\\\\", text)
    return text.strip().rstrip(";").strip()


def _documents(text: str) -> Any:
    """Return the one document in `text`, or the list of all that stand in a row."""
    found: list[Any] = []
    position = 0
    while position < len(text):
        try:
            document, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            if found:
                break  # what follows the last whole document is noise; what was read stays
            raise BrokenJson(str(error)) from error
        found.append(document)
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]  # it matches nothing too
    if not found:
        raise BrokenJson("it is empty")
    return found[0] if len(found) == 1 else found
