"""Shapes of requests and replies about sources, extractions and search."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from crawling.states import SourceStatus
from extraction.search.hybrid import MAX_LIMIT
from jobs.api.schemas import GroupName, JsonObject, Offset, Reply, RequestBody
from jobs.states import JobStatus

MAX_ROWS = 1000
MAX_SOURCE_IDS = 10_000
MAX_NAMES = 1000

Rows = Annotated[int, Field(ge=1, le=MAX_ROWS)]
Groups = Annotated[list[GroupName], Field(max_length=MAX_NAMES)]
FieldGroupName = Annotated[str, Field(max_length=100)]


class SourceFilters(BaseModel):
    """Which sources to list, oldest first."""

    source_group: GroupName | None = None
    status: SourceStatus | None = None
    source_type: Annotated[str, Field(max_length=20)] | None = None
    limit: Rows = 100
    offset: Offset = 0


class SourceOut(Reply):
    """A web page that a project has stored."""

    id: UUID
    uri: str = Field(validation_alias="url")
    source_group: str
    source_type: str
    title: str
    status: str
    created_at: datetime
    fetched_at: datetime | None
    gone_at: datetime | None
    language: str
    http_status: int


class SourceList(Reply):
    """A slice of the list of sources; `total` counts all that match."""

    sources: list[SourceOut]
    total: int
    limit: int
    offset: int


class StatusCount(Reply):
    """How many sources have a status."""

    status: str
    count: int


class GroupCount(Reply):
    """How many sources belong to a source group."""

    source_group: str
    count: int


class SummaryOut(Reply):
    """How many sources a project has."""

    total_sources: int
    by_status: list[StatusCount]
    by_source_group: list[GroupCount]


class ExtractIn(RequestBody):
    """What to extract from. Any field, or the whole body, may be null or left out.

    Without any, everything is extracted from that was not yet extracted with the current schema.
    """

    source_ids: Annotated[list[UUID], Field(max_length=MAX_SOURCE_IDS)] | None = None
    force: bool | None = Field(
        None, description="Extract again from sources already extracted with the current schema."
    )
    source_groups: Groups | None = None
    field_groups: Annotated[list[FieldGroupName], Field(max_length=MAX_NAMES)] | None = None


class ExtractStarted(Reply):
    """An extraction job that was created."""

    job_id: UUID
    status: JobStatus
    source_count: int
    project_id: UUID
    warnings: list[str]


class ExtractionFilters(BaseModel):
    """Which extractions to list, oldest first."""

    source_id: UUID | None = None
    extraction_type: FieldGroupName | None = Field(None, description="A field group of the schema.")
    source_group: GroupName | None = None
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    limit: Rows = 100
    offset: Offset = 0


class ExtractionOut(Reply):
    """An entity found in a source: its values, and the evidence for each."""

    id: UUID
    source_id: UUID
    data: JsonObject
    extraction_type: str
    source_group: str
    confidence: float
    extracted_at: datetime
    created_at: datetime
    source_uri: str
    entity_index: int
    evidence: JsonObject
    ungrounded: list[str] = Field(description="Fields whose value has no evidence in the source.")
    schema_version: int


class ExtractionList(Reply):
    """A slice of the list of extractions; `total` counts all that match."""

    extractions: list[ExtractionOut]
    total: int
    limit: int
    offset: int


class SearchIn(RequestBody):
    """What to search for; everything except the query may be null or left out."""

    query: Annotated[str, Field(max_length=10_000)]
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] | None = Field(
        None, description="How many results to return; 10 if not given."
    )
    source_groups: Groups | None = None
    filters: JsonObject | None = Field(
        None, description="Values that an extraction must have: field → value, or a list of accepted values."
    )
    field_groups: Annotated[list[FieldGroupName], Field(max_length=MAX_NAMES)] | None = None
    languages: Annotated[list[Annotated[str, Field(max_length=12)]], Field(max_length=MAX_NAMES)] | None = None
    kinds: Annotated[list[str], Field(max_length=2)] | None = Field(
        None, description="`extraction`, `passage` or both; both if not given."
    )


class Segment(Reply):
    """A piece of plain text, and whether it matches the query."""

    text: str
    is_match: bool


class SearchHitOut(Reply):
    """A result: an extraction, or a passage, whose data is its text and headings."""

    extraction_id: UUID | None
    passage_id: UUID | None
    kind: str
    score: float
    data: JsonObject
    evidence: JsonObject
    field_group: str | None
    confidence: float | None
    source_id: UUID
    source_uri: str
    source_title: str
    source_group: str
    language: str
    snippet: list[Segment]


class SearchOut(Reply):
    """The best results, best first. `total` counts the matches among the candidates that were examined."""

    results: list[SearchHitOut]
    query: str
    total: int
    warnings: list[str]
