"""Values from schema.org data and meta tags, by the paths a schema names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extraction.cascade.extractors.base import Dropped, Finding, Found
from extraction.cascade.extractors.main_node import is_told_apart, main_nodes
from extraction.errors import BadValue, NotApplicable
from extraction.evidence.nodes import Leaf, Node
from extraction.evidence.page import PageInput
from extraction.evidence.verify import Evidence, Place, markup_evidence
from extraction.schema.model import FieldGroup, FieldSpec, FieldType
from extraction.states import Method, Syntax
from extraction.values.parse import parse_list, parse_value

#: How far each syntax is trusted: meta tags are written for previews, not for facts.
CONFIDENCE = {Syntax.JSON_LD: 0.95, Syntax.MICRODATA: 0.9, Syntax.META: 0.8}
_CURRENCY_TAGS = ("product:price:currency", "og:price:currency", "product:sale_price:currency")


class SchemaOrg:
    """Reads `Type.property` paths from JSON-LD and microdata, then `og:title`-like names from meta tags.

    In a plain group a path means the page's main node of its type; in an entity list each node is one entity.
    """

    name: str = Method.SCHEMA_ORG

    def extract(self, page: PageInput, group: FieldGroup, missing: frozenset[str]) -> Sequence[Finding]:
        """Return one finding per field and syntax; meta tags are used only where no node has a value."""
        fields = [field for field in group.fields if field.name in missing and field.schema_org]
        if not fields or not page.structured.blocks:
            raise NotApplicable("The page has no structured data for this group.")
        entities = _entities(page, group) if group.is_entity_list else [_MainNodes(page)]
        findings = [
            finding
            for index, nodes in enumerate(entities)
            for field in fields
            for finding in self._field(page, field, nodes, index)
        ]
        if not findings:
            raise NotApplicable("The page's structured data has none of the fields.")
        return findings

    def _field(self, page: PageInput, field: FieldSpec, nodes: _Nodes, index: int) -> list[Finding]:
        found: list[Finding] = []
        dropped: list[Finding] = []
        answered: set[Syntax] = set()
        for leaves in self._readings(page, field, nodes):
            syntax = Syntax(leaves[0].address.partition("[")[0])
            if syntax in answered or (syntax is Syntax.META and found):
                continue
            finding = _first_value(page, field, leaves, syntax, index)
            if isinstance(finding, Found):
                answered.add(syntax)
                found.append(finding)
            else:
                dropped.append(finding)
        return found or dropped[:1]

    def _readings(self, page: PageInput, field: FieldSpec, nodes: _Nodes) -> Iterator[list[Leaf]]:
        """Yield the raw values at each alternative, nodes before meta tags."""
        meta = [path for path in field.schema_org if ":" in path]
        for path in field.schema_org:
            if path not in meta:
                kind, *names = path.split(".")
                yield from self._of_nodes(nodes, kind, tuple(names))
        if nodes.have_meta:
            for name in meta:
                if leaves := page.graph.meta_leaves(name):
                    yield leaves

    def _of_nodes(self, nodes: _Nodes, kind: str, names: tuple[str, ...]) -> Iterator[list[Leaf]]:
        for node in nodes.of_kind(kind):
            leaves = node.leaves(names)
            if leaves and not (nodes.have_meta and is_told_apart(node, names)):
                yield leaves


class _Nodes:
    """The nodes that describe one entity."""

    have_meta = False

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes

    def of_kind(self, kind: str) -> list[Node]:
        return [node for node in self._nodes if node.is_a(kind)]


class _MainNodes(_Nodes):
    """The page's main node of each type."""

    have_meta = True

    def __init__(self, page: PageInput) -> None:
        super().__init__([])
        self._page = page
        self._by_kind: dict[str, list[Node]] = {}

    def of_kind(self, kind: str) -> list[Node]:
        if kind not in self._by_kind:
            page = self._page
            self._by_kind[kind] = main_nodes(page.graph, kind, url=page.url, title=page.title)
        return self._by_kind[kind]


def _entities(page: PageInput, group: FieldGroup) -> list[_Nodes]:
    """Return one set of nodes per entity, all of one syntax; a thing described twice counts once."""
    kinds = dict.fromkeys(
        path.partition(".")[0] for field in group.fields for path in field.schema_org if ":" not in path
    )
    best: list[Node] = []
    for syntax in (Syntax.JSON_LD, Syntax.MICRODATA):
        distinct: dict[object, Node] = {}
        for node in page.graph.nodes:
            if node.syntax is syntax and any(node.is_a(kind) for kind in kinds):
                distinct.setdefault(_identity(node), node)
        best = max(best, list(distinct.values()), key=len)
    return [_Nodes([node]) for node in best]


def _identity(node: Node) -> object:
    if node.identity:
        return node.identity
    known = tuple(node.first(name) for name in ("name", "headline", "sku", "url"))
    return known if any(known) else (node.syntax, node.index, node.path)


def _first_value(page: PageInput, field: FieldSpec, leaves: list[Leaf], syntax: Syntax, index: int) -> Finding:
    """Return the first of `leaves` that is a value of the field; for a list all of them."""
    confidence = CONFIDENCE[syntax]
    if field.field_type is FieldType.LIST:
        return _list_value(page, field, leaves, index, confidence)
    reason = ""
    for leaf in leaves:
        hint = _currency(page, leaf) if field.field_type is FieldType.MONEY else None
        try:
            value = parse_value(leaf.raw, field, hint=hint.quote if hint else None, url=page.url, machine=True)
        except BadValue as error:
            reason = reason or error.detail
            continue
        evidence = markup_evidence(
            page, leaf.raw, leaf.address, method=SchemaOrg.name, confidence=confidence, hint=hint
        )
        return Found(field.name, value, evidence, index)
    return Dropped(field.name, leaves[0].raw, reason, SchemaOrg.name, index)


def _list_value(page: PageInput, field: FieldSpec, leaves: list[Leaf], index: int, confidence: float) -> Finding:
    kept: list[Evidence] = []
    reason = ""
    for leaf in leaves:
        try:
            parse_list([leaf.raw], field)
        except BadValue as error:
            reason = reason or error.detail
            continue
        kept.append(markup_evidence(page, leaf.raw, leaf.address, method=SchemaOrg.name, confidence=confidence))
    if not kept:
        return Dropped(field.name, leaves[0].raw, reason, SchemaOrg.name, index)
    value = parse_list([evidence.quote for evidence in kept], field)
    return Found(field.name, value, kept[0].model_copy(update={"parts": tuple(kept[1:])}), index)


def _currency(page: PageInput, leaf: Leaf) -> Place | None:
    """Return where the currency of a price stands: beside it, on the node around it, or in the meta tags."""
    owner = leaf.owner
    while owner is not None:
        currencies = owner.leaves(("priceCurrency",))
        if currencies:
            return Place(pointer=currencies[0].address, quote=currencies[0].raw)
        owner = owner.parent
    if leaf.owner is None:
        for name in _CURRENCY_TAGS:
            for tag in page.graph.meta_leaves(name):
                return Place(pointer=tag.address, quote=tag.raw)
    return None
