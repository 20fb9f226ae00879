"""Schema.org nodes of a page, whichever syntax they came in, with the address of each value."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from extraction.evidence.schema_types import is_kind_of
from extraction.evidence.structured_data import (
    StructuredData,
    pointer_to,
    raw_text,
)
from extraction.states import Syntax

MAX_NODES = 5000
MAX_HOPS = 8
_VOCABULARY = re.compile(r"^(?:https?://(?:www\.)?schema\.org/|schema:)", re.I)
_FORMER_PRICES = frozenset({"ListPrice", "StrikethroughPrice", "MSRP", "SRP", "RegularPrice"})
#: Where else a property may stand when the node does not have it itself.
_STAND_INS: dict[str, tuple[tuple[str, ...], ...]] = {
    "price": (("priceSpecification", "price"), ("lowPrice",), ("offers", "price"), ("minPrice",)),
    "priceCurrency": (("priceSpecification", "priceCurrency"), ("offers", "priceCurrency"), ("currency",)),
    "availability": (("offers", "availability"),),
    "offers": (("hasVariant", "offers"), ("model", "offers")),
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A raw string, the address it stands at, and the node it is a property of (None for a meta tag)."""

    raw: str
    address: str
    owner: Node | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One item: `parent` is the node it is nested in, `via` the property."""

    syntax: Syntax
    index: int
    path: tuple[str | int, ...]
    data: dict[str, Any]
    graph: Graph = field(repr=False)
    parent: Node | None = field(default=None, repr=False)
    via: str = ""

    @property
    def types(self) -> tuple[str, ...]:
        """The bare type names, without the vocabulary's address."""
        raw = self.data.get("type" if self.syntax is Syntax.MICRODATA else "@type")
        names = raw if isinstance(raw, list) else [raw]
        return tuple(bare_name(name) for name in names if isinstance(name, str))

    @property
    def identity(self) -> str | None:
        """The node's own identifier, if it has one."""
        raw = self.data.get("id" if self.syntax is Syntax.MICRODATA else "@id")
        return raw if isinstance(raw, str) else None

    def is_a(self, kind: str) -> bool:
        """Return whether one of the node's types is `kind` or narrower."""
        return any(is_kind_of(name, kind) for name in self.types)

    def children(self, name: str) -> list[Node | Leaf]:
        """Return the values of a property in order: nested or referenced nodes, and plain values."""
        base = (*self.path, "properties") if self.syntax is Syntax.MICRODATA else self.path
        holder = self.data.get("properties", {}) if self.syntax is Syntax.MICRODATA else self.data
        found: list[Node | Leaf] = []
        for key in _matching_keys(holder, name):
            for path, value in _flat((*base, key), holder[key]):
                child = self._child(path, value, name)
                if child is not None:
                    found.append(child)
        return found

    def leaves(self, names: tuple[str, ...], *, hops: int = MAX_HOPS) -> list[Leaf]:
        """Return the plain values at the end of a property path; a nested node gives its name there.

        hops: how many nodes may still be passed, because references by @id may run in circles.
        """
        if hops == 0:
            return []
        found = self._leaves(names, hops - 1)
        for stand_in in _STAND_INS.get(names[0], ()) if not found else ():
            found = self._leaves((*stand_in, *names[1:]), hops - 1)
            if found:
                break
        return found

    def first(self, *names: str) -> str | None:
        """Return the first raw value at a property path."""
        return next((leaf.raw for leaf in self.leaves(names)), None)

    def _leaves(self, names: tuple[str, ...], hops: int) -> list[Leaf]:
        found: list[Leaf] = []
        for child in self.children(names[0]):
            if isinstance(child, Leaf):
                if len(names) == 1:
                    found.append(child)
            elif _is_former_price(child):
                continue
            elif len(names) > 1:
                found.extend(child.leaves(names[1:], hops=hops))
            else:
                found.extend(child.own_name())
        return found

    def own_name(self) -> list[Leaf]:
        """Return the leaf that stands for the whole node: its name or value, else an enumeration's id."""
        for name in ("name", "value"):
            leaves = [child for child in self.children(name) if isinstance(child, Leaf)]
            if leaves:
                return leaves[:1]
        if self.syntax is Syntax.JSON_LD and self.identity and _VOCABULARY.match(self.identity):
            return [self._leaf((*self.path, "@id"), self.identity)]
        return []

    def _child(self, path: tuple[str | int, ...], value: Any, via: str) -> Node | Leaf | None:
        if not isinstance(value, dict):
            raw = raw_text(value)
            return None if raw is None or not raw.strip() else self._leaf(path, raw)
        for key in ("@value", "value"):
            is_literal = key == "@value" or (self.syntax is Syntax.MICRODATA and "properties" not in value)
            if is_literal and raw_text(value.get(key)):
                return self._leaf((*path, key), raw_text(value[key]) or "")
        if set(value) == {"@id"} and isinstance(value["@id"], str) and value["@id"] in self.graph.by_id:
            return self.graph.by_id[value["@id"]]
        return Node(self.syntax, self.index, path, value, self.graph, self, via)

    def _leaf(self, path: tuple[str | int, ...], raw: str) -> Leaf:
        return Leaf(raw, f"{self.syntax}[{self.index}]#{pointer_to(path)}", self)


class Graph:
    """All nodes of a page, block by block and outer ones first, and the meta tags beside them."""

    def __init__(self, structured: StructuredData) -> None:
        self.nodes: list[Node] = []
        self.by_id: dict[str, Node] = {}
        self.meta: dict[str, list[str]] = {}
        for block in structured.blocks:
            if block.syntax is Syntax.META:
                self.meta = block.data
                continue
            for path, value in _flat((), block.data):
                if isinstance(value, dict):
                    self._add(Node(block.syntax, block.index, path, value, self))

    def meta_leaves(self, name: str) -> list[Leaf]:
        """Return the contents of each meta tag called `name`; `meta:author` means the plain `author`."""
        key = name.lower().removeprefix("meta:")
        contents = self.meta.get(key, [])
        return [Leaf(raw, f"{Syntax.META}[0]#{pointer_to((key, n))}") for n, raw in enumerate(contents)]

    def of_kind(self, kind: str) -> list[Node]:
        """Return the nodes of a type or a narrower one, in document order."""
        return [node for node in self.nodes if node.is_a(kind)]

    def _add(self, node: Node) -> None:
        waiting = deque([node])
        while waiting and len(self.nodes) < MAX_NODES:
            node = waiting.popleft()
            if set(node.data) != {"@id"} and not (set(node.data) <= {"@context", "@graph", "@id"}):
                self.nodes.append(node)
                if node.identity:
                    self.by_id.setdefault(node.identity, node)
            waiting.extend(_nested(node))


def bare_name(name: str) -> str:
    """Return a type or property name without vocabulary: `http://schema.org/Product` is `Product`."""
    return _VOCABULARY.sub("", name.strip()).rpartition("/")[2].rpartition("#")[2]


def _nested(node: Node) -> Iterator[Node]:
    base = (*node.path, "properties") if node.syntax is Syntax.MICRODATA else node.path
    holder = node.data.get("properties", {}) if node.syntax is Syntax.MICRODATA else node.data
    for key, value in holder.items():
        if key in ("@context", "@type", "@id"):
            continue
        top = key == "@graph"
        for path, item in _flat((*base, key), value):
            if isinstance(item, dict):
                parent = None if top else node
                yield Node(node.syntax, node.index, path, item, node.graph, parent, "" if top else bare_name(key))


def _matching_keys(holder: dict[str, Any], name: str) -> list[str]:
    if name in holder:
        return [name]
    wanted = name.lower()
    return [key for key in holder if bare_name(key).lower() == wanted]


def _flat(path: tuple[str | int, ...], value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the items of nested lists (and of JSON-LD's @list and @set) with their paths."""
    if isinstance(value, dict):
        for key in ("@list", "@set"):
            if isinstance(value.get(key), list):
                yield from _flat((*path, key), value[key])
                return
    if not isinstance(value, list):
        yield path, value
        return
    for n, item in enumerate(value):
        yield from _flat((*path, n), item)


def _is_former_price(node: Node) -> bool:
    """Return whether a price specification is the struck-through or recommended price."""
    kind = node.data.get("priceType") or node.data.get("properties", {}).get("priceType")
    return isinstance(kind, str) and bare_name(kind) in _FORMER_PRICES
