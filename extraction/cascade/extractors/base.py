"""What every extractor takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from extraction.evidence.page import PageInput
from extraction.evidence.verify import Evidence
from extraction.schema.model import FieldGroup
from extraction.values.parse import Value


@dataclass(frozen=True, slots=True)
class Found:
    """One value for one field. evidence of kind `ungrounded` marks a claim nothing on the page proves."""

    field: str
    value: Value
    evidence: Evidence
    entity_index: int = 0


@dataclass(frozen=True, slots=True)
class Dropped:
    """A raw string found in a field's place that is not a value of its type."""

    field: str
    raw: str
    reason: str
    method: str
    entity_index: int = 0


Finding = Found | Dropped


class Extractor(Protocol):
    """Reads values of one group from a page."""

    name: str

    def extract(self, page: PageInput, group: FieldGroup, missing: frozenset[str]) -> Sequence[Finding]:
        """Return what the page says about the fields named in `missing`; several findings per field are fine.

        Raises: NotApplicable when the page holds nothing this extractor reads; a temporary error, such as
        Unavailable, when a service it needs is out of order.
        """
        ...
