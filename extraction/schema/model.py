"""The extraction schema: the typed fields, in groups, that a project extracts from its pages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    field_validator,
    model_validator,
)

from extraction.errors import SchemaInvalid
from extraction.schema.selectors import compile_selector
from extraction.schema.validation_words import schema_error_detail

__all__ = ["ExtractionSchema", "FieldGroup", "FieldSpec", "FieldType", "MergeStrategy", "schema_error_detail"]

MAX_GROUPS = 50
MAX_FIELDS = 100
MAX_ITEMS = 1000
_SCHEMA_ORG_PATH = re.compile(r"(?:[A-Z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)+|[A-Za-z][\w-]*(?::[\w.-]+)+)", re.ASCII)


class FieldType(StrEnum):
    """What a field's value is; see `extraction.values.parse` for the stored form of each."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    ENUM = "enum"
    LIST = "list"
    URL = "url"
    MONEY = "money"
    SUMMARY = "summary"


class MergeStrategy(StrEnum):
    """How several findings for one field become one value; see `extraction.cascade.merge`."""

    HIGHEST_CONFIDENCE = "highest_confidence"
    MOST_COMMON = "most_common"
    ANY_TRUE = "any_true"
    COLLECT_UNIQUE = "collect_unique"
    MERGE_DEDUPE = "merge_dedupe"
    LATEST = "latest"


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters, which PostgreSQL cannot store; remove them")
    return text


def _version_text(version: object) -> object:
    return str(version) if isinstance(version, int | float) and not isinstance(version, bool) else version


Text = Annotated[str, AfterValidator(_without_nul)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Title = Annotated[Text, Field(min_length=1, max_length=200)]
Prose = Annotated[Text, Field(max_length=4000)]
EnumValue = Annotated[Text, Field(min_length=1, max_length=200)]
Version = Annotated[Title, BeforeValidator(_version_text)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_means_absent(cls, raw: object) -> object:
        return {key: value for key, value in raw.items() if value is not None} if isinstance(raw, dict) else raw


class FieldSpec(_Part):
    """One field: its type, and where the cheap extractors may read it.

    schema_org: `Product.offers.price` (type, then properties), a meta name such as `og:title` or
    `meta:description`, or a list of such alternatives, best first. selector: see `extraction.schema.selectors`.
    pattern: a regular expression; its first group, else the whole match, is the raw value.
    default: checked and kept for exports, which do not exist yet; it is never stored as a found value.
    """

    name: Name
    field_type: FieldType = FieldType.TEXT
    description: Prose = ""
    required: StrictBool = False
    default: Any = None
    enum_values: Annotated[tuple[EnumValue, ...], Field(max_length=200)] = ()
    merge_strategy: MergeStrategy | None = None
    schema_org: Annotated[tuple[Text, ...], Field(max_length=30)] = ()
    selector: Annotated[Text, Field(min_length=1, max_length=1000)] | None = None
    pattern: Annotated[Text, Field(min_length=1, max_length=1000)] | None = None

    @property
    def merging(self) -> MergeStrategy:
        """The strategy in effect: lists collect, everything else keeps the most certain finding."""
        if self.merge_strategy is not None:
            return self.merge_strategy
        is_list = self.field_type is FieldType.LIST
        return MergeStrategy.COLLECT_UNIQUE if is_list else MergeStrategy.HIGHEST_CONFIDENCE

    @field_validator("schema_org", mode="before")
    @classmethod
    def _one_path_is_a_list(cls, raw: object) -> object:
        return (raw,) if isinstance(raw, str) else raw

    @field_validator("schema_org")
    @classmethod
    def _paths_are_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if not _SCHEMA_ORG_PATH.fullmatch(path):
                raise ValueError(f"{path!r} is not a path; write Type.property such as Product.name, or og:title")
        return paths

    @field_validator("selector")
    @classmethod
    def _selector_compiles(cls, selector: str) -> str:
        try:
            compile_selector(selector)
        except SchemaInvalid as error:
            raise ValueError(error.detail) from error
        return selector

    @field_validator("pattern")
    @classmethod
    def _pattern_compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError, Warning) as error:
            raise ValueError(f"is not a valid regular expression ({error}); correct it") from error
        return pattern

    @model_validator(mode="after")
    def _type_fits(self) -> Self:
        if self.field_type is FieldType.ENUM and not self.enum_values:
            raise ValueError(f"field {self.name!r} is an enum and needs enum_values; list the allowed values")
        if self.enum_values and self.field_type not in (FieldType.ENUM, FieldType.LIST):
            raise ValueError(f"field {self.name!r}: enum_values belong to enum or list fields; remove them")
        _refuse_duplicates(self.enum_values, f"field {self.name!r}: enum_values")
        if self.default is not None and not has_stored_form(self.default, self.field_type, self.enum_values):
            raise ValueError(f"field {self.name!r}: the default is not a value of type {self.field_type}; correct it")
        return self


class FieldGroup(_Part):
    """Fields that belong to one thing; `is_entity_list` when a page may hold several of that thing."""

    name: Name
    description: Prose = ""
    prompt_hint: Prose = ""
    is_entity_list: StrictBool = False
    max_items: Annotated[StrictInt, Field(ge=1, le=MAX_ITEMS)] | None = None
    fields: Annotated[tuple[FieldSpec, ...], Field(min_length=1, max_length=MAX_FIELDS)]

    def field(self, name: str) -> FieldSpec:
        """Return the field called `name`; KeyError when there is none."""
        return {field.name: field for field in self.fields}[name]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        _refuse_duplicates((field.name for field in self.fields), f"group {self.name!r}: field names")
        return self


class ExtractionSchema(_Part):
    """The whole schema of one project."""

    name: Title
    version: Version = "1"
    field_groups: Annotated[tuple[FieldGroup, ...], Field(min_length=1, max_length=MAX_GROUPS)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        _refuse_duplicates((group.name for group in self.field_groups), "field_groups: group names")
        return self

    @classmethod
    def parse(cls, raw: object) -> ExtractionSchema:
        """Return the schema that `raw` (decoded JSON) describes.

        Raises: SchemaInvalid, saying what to correct.
        """
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise SchemaInvalid(schema_error_detail(error)) from error

    def to_json(self) -> dict[str, Any]:
        """Return the schema as JSON data; `parse` of it gives an equal schema."""
        return self.model_dump(mode="json")

    def group(self, name: str) -> FieldGroup:
        """Return the group called `name`; KeyError when there is none."""
        return {group.name: group for group in self.field_groups}[name]


def _refuse_duplicates(names: Iterable[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{where} contain {name!r} twice; rename or remove one")
        seen.add(name)


def has_stored_form(value: Any, field_type: FieldType, enum_values: tuple[str, ...] = ()) -> bool:
    """Return whether `value` has the form in which values of a type are stored."""
    match field_type:
        case FieldType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case FieldType.FLOAT:
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        case FieldType.BOOLEAN:
            return isinstance(value, bool)
        case FieldType.LIST:
            allowed = enum_values or None
            return isinstance(value, list) and all(_is_plain(v) and (not allowed or v in allowed) for v in value)
        case FieldType.MONEY:
            return _is_money(value)
        case FieldType.ENUM:
            return isinstance(value, str) and value in enum_values
    return _is_plain(value)


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and "\x00" not in text and not re.search(r"[\ud800-\udfff]", text)


def _is_money(money: object) -> bool:
    if not isinstance(money, dict) or set(money) != {"amount", "currency"}:
        return False
    amount, currency = money["amount"], money["currency"]
    is_decimal = isinstance(amount, str) and re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", amount, re.ASCII)
    return bool(is_decimal) and (currency is None or _is_plain(currency))
