"""The structured data of one page: JSON-LD, microdata and meta tags, each value at a stable address.

Microdata comes from extruct. JSON-LD and meta tags are read here: extruct's JSON-LD reader gives up all
blocks of a page at the first broken one and turns 19.90 into 19.9, and its OpenGraph reader sees only
`property` tags of the head.
An address is `<syntax>[<n>]#<JSON pointer>`: the n-th block of that syntax, counted from 0 in document order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

from extraction.evidence.json_repair import BrokenJson, load_json
from extraction.states import Syntax

_ADDRESS = re.compile(rf"({'|'.join(Syntax)})\[(\d{{1,6}})\]#((?:/.*)?)", re.S)
_SCRIPTS = etree.XPath("//script[contains(translate(@type, 'APLICTONDJS', 'aplictondjs'), 'application/ld+json')]")
_METAS = etree.XPath("//meta[@content and (@property or @name)]")


@dataclass(frozen=True, slots=True)
class Block:
    """One block: `data` is JSON data whose numbers are kept as the strings they were written as."""

    syntax: Syntax
    index: int
    data: Any


@dataclass(frozen=True, slots=True)
class StructuredData:
    """All blocks of a page, and a sentence for each one that could not be read."""

    blocks: tuple[Block, ...]
    problems: tuple[str, ...] = ()

    def read(self, address: str) -> str | None:
        """Return the raw string at `address`, or None when nothing (or no plain value) stands there."""
        match = _ADDRESS.fullmatch(address)
        if match is None:
            return None
        for block in self.blocks:
            if block.syntax == match[1] and block.index == int(match[2]):
                return raw_text(_follow(block.data, match[3]))
        return None


def read_structured_data(tree: Any) -> StructuredData:
    """Return the structured data below `tree`, an lxml.html document parsed by the caller."""
    problems: list[str] = []
    blocks = [*_json_ld(tree, problems), *_microdata(tree, problems), *_meta(tree)]
    return StructuredData(tuple(blocks), tuple(problems))


def raw_text(value: Any) -> str | None:
    """Return a JSON leaf as the string it was written as, None for null, lists and objects."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def pointer_to(path: tuple[str | int, ...]) -> str:
    """Return the JSON pointer (RFC 6901) of a path of keys and list indexes."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _follow(data: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(data, list) and key.isdecimal() and int(key) < len(data):
            data = data[int(key)]
        elif isinstance(data, dict) and key in data:
            data = data[key]
        else:
            return None
    return data


def _json_ld(tree: Any, problems: list[str]) -> list[Block]:
    blocks = []
    for index, script in enumerate(_SCRIPTS(tree)):
        source = script.text_content()
        if not source.strip():
            continue
        try:
            blocks.append(Block(Syntax.JSON_LD, index, load_json(source)))
        except BrokenJson as error:
            problems.append(f"JSON-LD block {index} cannot be read: {error}")
    return blocks


def _microdata(tree: Any, problems: list[str]) -> list[Block]:
    """Return microdata items; links stay as written, because the base address is none of the evidence."""
    try:
        # Imported here: its package loads every syntax it knows, which takes a second.
        from extruct.w3cmicrodata import MicrodataExtractor

        items = MicrodataExtractor().extract_items(tree, None)
    except (ValueError, TypeError, RecursionError, etree.LxmlError) as error:
        problems.append(f"The microdata cannot be read: {error}")
        return []
    return [Block(Syntax.MICRODATA, index, item) for index, item in enumerate(items)]


def _meta(tree: Any) -> list[Block]:
    """Return one block for all meta tags: {name or property in lower case: [contents]}."""
    contents: dict[str, list[str]] = {}
    for element in _METAS(tree):
        content = element.get("content").strip()
        for key in dict.fromkeys((element.get("property") or element.get("name") or "").lower().split()):
            if content:
                contents.setdefault(key, []).append(content)
    return [Block(Syntax.META, 0, contents)] if contents else []
