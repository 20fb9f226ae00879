"""What an extraction hands to the settling transaction."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from extraction.cascade.cascade import GroupResult


@dataclass(frozen=True, slots=True)
class ExtractionWrite:
    """What the settling transaction stores, if the source is still what it was read from."""

    source_id: UUID
    content_hash: str
    schema_version_id: int
    schema_number: int
    groups: tuple[str, ...]  #: the field groups asked for: their former extractions are replaced
    is_whole: bool  #: all groups of the schema were asked for
    results: "tuple[GroupResult, ...]"
