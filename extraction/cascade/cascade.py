"""The cascade: the cheapest extractor first, each further one only for the fields still missing."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from extraction.cascade.extractors.base import Dropped, Extractor, Finding, Found
from extraction.cascade.merge import Disagreement, Merged, agrees, merge_found
from extraction.errors import BadValue, NotApplicable
from extraction.evidence.page import PageInput
from extraction.evidence.verify import Evidence, verify
from extraction.schema.model import ExtractionSchema, FieldGroup
from extraction.states import EvidenceKind
from extraction.values.parse import Value, checked
from jobs.worker.cpu import cancellation_check

log = logging.getLogger(__name__)

_Entity = dict[str, list[Found]]


@dataclass(frozen=True, slots=True)
class Note:
    """Something found and not kept, or asked for and not found; `field` None concerns the whole group."""

    group: str
    field: str | None
    reason: str
    raw: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What one page says about one entity of one group; `data` is never empty.

    confidence: the lowest of its fields. ungrounded: fields whose value nothing on the page proves.
    """

    group: str
    entity_index: int
    data: dict[str, Value]
    evidence: dict[str, Evidence]
    confidence: float
    ungrounded: tuple[str, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    notes: tuple[Note, ...] = ()

    def evidence_json(self) -> dict[str, Any]:
        """Return the evidence as stored."""
        return {name: evidence.to_json() for name, evidence in self.evidence.items()}


def run_cascade(
    extractors: Sequence[Extractor],
    page: PageInput,
    schema: ExtractionSchema,
    *,
    on_note: Callable[[Note], None] | None = None,
) -> list[GroupResult]:
    """Return the results of every group that the page says anything about.

    on_note: told of each value that was dropped, also in groups that have no result.
    Raises: what an extractor raises but NotApplicable, since an outage never yields a weaker answer; Abandoned.
    """
    results: list[GroupResult] = []
    for group in schema.field_groups:
        run = _GroupRun(page, group)
        run.work(extractors)
        for note in run.notes:
            log.debug("extraction_value_dropped", extra={"group": note.group, "field": note.field})
            if on_note is not None:
                on_note(note)
        results.extend(run.results())
    return results


class _GroupRun:
    """The state of one group while the extractors work on it."""

    def __init__(self, page: PageInput, group: FieldGroup) -> None:
        self.page = page
        self.group = group
        self.fields = {field.name: field for field in group.fields}
        self.entities: list[_Entity] = []
        self.notes: list[Note] = []

    def work(self, extractors: Sequence[Extractor]) -> None:
        for extractor in extractors:
            missing = self.missing()
            if not missing:
                break
            cancellation_check()
            try:
                findings = extractor.extract(self.page, self.group, self._asked(missing))
            except NotApplicable:
                continue
            self._take(findings, missing)
        self._limit()

    def missing(self) -> frozenset[str]:
        """Return the fields that the only entity lacks, or that any entity of a list lacks."""
        if not self.entities:
            return frozenset(self.fields)
        return frozenset(name for entity in self.entities for name in self.fields if not _is_proven(entity, name))

    def _asked(self, missing: frozenset[str]) -> frozenset[str]:
        """In a list the first field is always asked for: it tells which entity a finding belongs to."""
        return missing | {self.group.fields[0].name} if self.group.is_entity_list else missing

    def _take(self, findings: Sequence[Finding], missing: frozenset[str]) -> None:
        by_entity: defaultdict[int, _Entity] = defaultdict(dict)
        for finding in findings:
            cancellation_check()  # to prove one on a long page can take long
            found = self._accepted(finding)
            if found is not None and found.field in self._asked(missing):
                index = found.entity_index if self.group.is_entity_list else 0
                by_entity[index].setdefault(found.field, []).append(found)
        known = list(self.entities)
        for index in sorted(by_entity):
            self._join(by_entity[index], known)

    def _join(self, news: _Entity, known: list[_Entity]) -> None:
        """Add the findings to the entity they are about, else as a new entity."""
        entity = known[0] if known and not self.group.is_entity_list else self._same(news, known)
        if entity is None:
            self.entities.append(news)
            return
        for name, found in news.items():
            if not _is_proven(entity, name):
                entity.setdefault(name, []).extend(found)

    def _same(self, news: _Entity, known: list[_Entity]) -> _Entity | None:
        key = self.group.fields[0].name
        for entity in known:
            pairs = ((a, b) for a in news.get(key, []) for b in entity.get(key, []))
            if any(agrees(a.value, b.value) for a, b in pairs):
                return entity
        return None

    def _accepted(self, finding: Finding) -> Found | None:
        """Return the finding with its value and its proof checked; a false proof makes it ungrounded."""
        name = finding.field
        if isinstance(finding, Dropped):
            self._note(name, finding.reason, raw=finding.raw, method=finding.method)
            return None
        evidence = finding.evidence
        if name not in self.fields:
            self._note(None, f"The group has no field {name!r}.", raw=str(finding.value), method=evidence.method)
            return None
        field = self.fields[name]
        try:
            value = checked(finding.value, field)
        except BadValue as error:
            self._note(name, error.detail, raw=str(finding.value), method=evidence.method)
            return None
        if evidence.kind is not EvidenceKind.UNGROUNDED and not verify(evidence, value, field, self.page):
            evidence = Evidence(
                kind=EvidenceKind.UNGROUNDED,
                quote=evidence.quote,
                method=evidence.method,
                confidence=evidence.confidence,
            )
        return Found(name, value, evidence, finding.entity_index)

    def _note(self, field: str | None, reason: str, *, raw: str = "", method: str = "") -> None:
        self.notes.append(Note(self.group.name, field, reason, raw[:500], method))

    def _limit(self) -> None:
        limit = self.group.max_items
        if limit is not None and self.group.is_entity_list and len(self.entities) > limit:
            self._note(None, f"{len(self.entities) - limit} entities beyond max_items were left out.")
            del self.entities[limit:]

    def results(self) -> list[GroupResult]:
        return [self._result(index, entity) for index, entity in enumerate(self.entities)]

    def _result(self, index: int, entity: _Entity) -> GroupResult:
        merged: dict[str, Merged] = {
            name: merge_found(self.fields[name], entity[name]) for name in self.fields if name in entity
        }
        evidence = {name: one.evidence for name, one in merged.items()}
        absent = [f.name for f in self.group.fields if f.required and f.name not in merged]
        return GroupResult(
            group=self.group.name,
            entity_index=index,
            data={name: one.value for name, one in merged.items()},
            evidence=evidence,
            confidence=min(proof.confidence for proof in evidence.values()),
            ungrounded=tuple(name for name, proof in evidence.items() if proof.kind is EvidenceKind.UNGROUNDED),
            disagreements=tuple(disagreement for one in merged.values() for disagreement in one.disagreements),
            notes=(*self.notes, *(Note(self.group.name, name, "Required, but not found.") for name in absent)),
        )


def _is_proven(entity: _Entity, name: str) -> bool:
    return any(found.evidence.kind is not EvidenceKind.UNGROUNDED for found in entity.get(name, []))
