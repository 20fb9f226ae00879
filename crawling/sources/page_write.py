"""What a worker passes to the transaction that stores its outcomes: plain values, all computed beforehand."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PageWrite:
    """A page to store: field values of its Source, its original bytes and text, and what dependants prepared."""

    url: str
    fields: dict[str, Any]
    body: bytes  #: gzip-compressed original
    text: str
    charset: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    prepared: dict[str, Any] = field(default_factory=dict)  #: by name of the dependant


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The host says (304) that the page of this source is as it was."""

    source_id: UUID
    source_group: str  #: of the job that asked


@dataclass(frozen=True, slots=True)
class GoneWrite:
    """The page of this URL no longer exists (404, 410)."""

    url: str
