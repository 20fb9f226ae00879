"""Several findings for one field made one value; what it overrules is recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from extraction.cascade.extractors.base import Found
from extraction.evidence.verify import JOINED, Evidence
from extraction.schema.model import FieldSpec, FieldType, MergeStrategy
from extraction.states import EvidenceKind
from extraction.values.parse import Value


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Another value that was found for the field and not kept."""

    field: str
    value: Value
    quote: str
    method: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Merged:
    """The value kept for a field, its proof, and the disagreeing findings."""

    value: Value
    evidence: Evidence
    disagreements: tuple[Disagreement, ...] = ()


def merge_found(field: FieldSpec, found: Sequence[Found]) -> Merged:
    """Return the one value for `field` by its merge strategy; `found` is in the order of the page.

    Proven findings always go before ungrounded ones. highest_confidence: the surest, first of equals.
    most_common: the most frequent, surest of equals. any_true: true if any is. latest: the last.
    collect_unique and merge_dedupe: all distinct items of a list (of texts: for merge_dedupe one line each);
    for a type that holds a single value they act as highest_confidence.
    """
    if not found:
        raise ValueError("nothing to merge")
    proven = [one for one in found if one.evidence.kind is not EvidenceKind.UNGROUNDED]
    usable = proven or list(found)
    if field.field_type is FieldType.LIST and field.merging in _COLLECTING:
        return _collected(usable)
    if field.field_type in JOINED and field.merging is MergeStrategy.MERGE_DEDUPE:
        return _joined(usable)
    kept = _chosen(field.merging, usable)
    disagreements = tuple(_disagreement(one) for one in found if not agrees(one.value, kept.value))
    return Merged(kept.value, kept.evidence, _distinct(disagreements))


_COLLECTING = frozenset({MergeStrategy.COLLECT_UNIQUE, MergeStrategy.MERGE_DEDUPE})


def agrees(one: Value, other: Value) -> bool:
    """Return whether two values say the same; a price without currency agrees with the same amount."""
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    if isinstance(one, dict) and isinstance(other, dict):
        currencies = {one.get("currency"), other.get("currency")} - {None}
        return float(one["amount"]) == float(other["amount"]) and len(currencies) < 2
    return one == other


def value_key(value: Value) -> Any:
    """Return something hashable that is equal for values that agree exactly."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, dict):
        return tuple(sorted((key, str(part)) for key, part in value.items()))
    return tuple(item.casefold() for item in value) if isinstance(value, list) else value


def _chosen(strategy: MergeStrategy, found: Sequence[Found]) -> Found:
    surest = max(found, key=lambda one: one.evidence.confidence)  # max keeps the first of equals
    match strategy:
        case MergeStrategy.MOST_COMMON:
            votes = Counter(value_key(one.value) for one in found)
            return max(found, key=lambda one: (votes[value_key(one.value)], one.evidence.confidence))
        case MergeStrategy.ANY_TRUE:
            true = [one for one in found if one.value is True]
            return max(true, key=lambda one: one.evidence.confidence) if true else surest
        case MergeStrategy.LATEST:
            return found[-1]
    return surest


def _collected(found: Sequence[Found]) -> Merged:
    items: dict[str, str] = {}
    proofs: list[Evidence] = []
    for one in found:
        new = [item for item in one.value if item.casefold() not in items] if isinstance(one.value, list) else []
        if new:
            items.update((item.casefold(), item) for item in new)
            proofs.append(one.evidence)
    if not proofs:
        return Merged(found[0].value, found[0].evidence)
    return Merged(list(items.values()), _chained(proofs))


def _joined(found: Sequence[Found]) -> Merged:
    lines: dict[str, Found] = {}
    for one in found:
        lines.setdefault(str(one.value), one)
    return Merged("\n".join(lines), _chained([one.evidence for one in lines.values()]))


def _chained(proofs: Sequence[Evidence]) -> Evidence:
    """Return the first proof with all further ones as its parts, as sure as the least sure."""
    flat = [part for proof in proofs for part in (proof.model_copy(update={"parts": ()}), *proof.parts)]
    confidence = min(proof.confidence for proof in flat)
    return flat[0].model_copy(update={"parts": tuple(flat[1:]), "confidence": confidence})


def _disagreement(one: Found) -> Disagreement:
    evidence = one.evidence
    return Disagreement(one.field, one.value, evidence.quote, evidence.method, evidence.confidence)


def _distinct(disagreements: tuple[Disagreement, ...]) -> tuple[Disagreement, ...]:
    return tuple({value_key(one.value): one for one in reversed(disagreements)}.values())[::-1]
