"""Values from the CSS or XPath selectors that a schema names."""

from __future__ import annotations

from collections.abc import Sequence

from extraction.cascade.extractors.base import Dropped, Finding, Found
from extraction.errors import BadValue, NotApplicable, SchemaInvalid
from extraction.evidence.page import PageInput
from extraction.evidence.verify import Evidence, markup_evidence
from extraction.schema.model import FieldGroup, FieldSpec, FieldType
from extraction.schema.selectors import compile_selector
from extraction.states import Method
from extraction.values.parse import narrow, parse_list, parse_value

CONFIDENCE = 0.9


class Selectors:
    """Reads each field's selector from the stored markup; a field's pattern then narrows the text found.

    In an entity list the n-th match belongs to the n-th entity, which only holds when all selectors match
    equally often; if they do not, the group is left to other extractors.
    """

    name: str = Method.SELECTORS

    def extract(self, page: PageInput, group: FieldGroup, missing: frozenset[str]) -> Sequence[Finding]:
        """Return at most one finding per field and entity."""
        fields = [field for field in group.fields if field.name in missing and field.selector]
        matches = {field.name: _matches(page, field) for field in fields}
        if not any(matches.values()):
            raise NotApplicable("No selector of this group matches.")
        if not group.is_entity_list:
            return [f for field in fields if (f := _value(page, field, matches[field.name], 0)) is not None]
        if len({len(found) for found in matches.values()}) != 1:
            raise NotApplicable("The group's selectors match differently often, so entities cannot be told apart.")
        return [
            finding
            for field in fields
            for index, match in enumerate(matches[field.name])
            if (finding := _value(page, field, [match], index)) is not None
        ]


def _matches(page: PageInput, field: FieldSpec) -> list[tuple[str, str]]:
    """Return (raw, address) of each match of the field's selector."""
    try:
        selector = compile_selector(field.selector or "")
        raws = selector.read(page.tree)
    except SchemaInvalid:
        return []
    return [(raw, f"{selector.language}[{n}]#{selector.source}") for n, raw in enumerate(raws)]


def _value(page: PageInput, field: FieldSpec, matches: list[tuple[str, str]], index: int) -> Finding | None:
    """Return the first match that is a value, for a list field all of them; None when all are empty."""
    kept: list[Evidence] = []
    failed: Dropped | None = None
    for raw, address in matches:
        if not raw:
            continue
        try:
            value = parse_value(narrow(raw, field), field, url=page.url)
        except BadValue as error:
            failed = failed or Dropped(field.name, raw, error.detail, Selectors.name, index)
            continue
        evidence = markup_evidence(page, raw, address, method=Selectors.name, confidence=CONFIDENCE)
        if field.field_type is not FieldType.LIST:
            return Found(field.name, value, evidence, index)
        kept.append(evidence)
    if not kept:
        return failed
    items = parse_list([narrow(evidence.quote, field) for evidence in kept], field)
    return Found(field.name, items, kept[0].model_copy(update={"parts": tuple(kept[1:])}), index)
