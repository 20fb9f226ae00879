"""The extraction schema: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.errors import SchemaInvalid
from extraction.schema.model import MAX_ITEMS, ExtractionSchema, FieldType, MergeStrategy


def schema_with(**field):
    return {"name": "s", "field_groups": [{"name": "g", "fields": [{"name": "f", **field}]}]}


def test_every_optional_field_may_be_null():
    raw = {
        "name": "s",
        "version": None,
        "field_groups": [
            {
                "name": "g",
                "description": None,
                "prompt_hint": None,
                "is_entity_list": None,
                "max_items": None,
                "fields": [
                    {
                        "name": "f",
                        "field_type": None,
                        "description": None,
                        "required": None,
                        "default": None,
                        "enum_values": None,
                        "merge_strategy": None,
                        "schema_org": None,
                        "selector": None,
                        "pattern": None,
                    }
                ],
            }
        ],
    }
    schema = ExtractionSchema.parse(raw)
    field = schema.group("g").field("f")
    assert (schema.version, field.field_type, field.required) == ("1", FieldType.TEXT, False)
    assert ExtractionSchema.parse(schema.to_json()) == schema


def test_merging_in_effect_follows_the_type():
    kinds = {
        kind: ExtractionSchema.parse(schema_with(field_type=kind)).group("g").field("f") for kind in ("list", "text")
    }
    assert kinds["list"].merging is MergeStrategy.COLLECT_UNIQUE
    assert kinds["text"].merging is MergeStrategy.HIGHEST_CONFIDENCE


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"colour": "red"}, ["field_groups[0].fields[0].colour", "not a known key", "enum_values"]),
        ({"field_type": "enum"}, ["needs enum_values"]),
        ({"field_type": "enum", "enum_values": ["a", "a"]}, ["'a' twice"]),
        ({"field_type": "text", "enum_values": ["a"]}, ["enum_values belong to enum or list"]),
        ({"field_type": "integer", "default": "7"}, ["default is not a value of type integer"]),
        ({"field_type": "integer", "default": True}, ["default"]),
        ({"field_type": "enum", "enum_values": ["a"], "default": "b"}, ["default"]),
        ({"field_type": "money", "default": {"amount": "x", "currency": None}}, ["default"]),
        ({"selector": "div[["}, ["selector", "neither a valid CSS"]),
        ({"selector": "//a["}, ["selector", "XPath"]),
        ({"pattern": "(unclosed"}, ["pattern", "regular expression"]),
        ({"schema_org": "price"}, ["schema_org", "Product.name"]),
        ({"name": "two words"}, ["fields[0].name", "rename"]),
        ({"description": "a\x00b"}, ["NUL"]),
        ({"merge_strategy": "newest"}, ["merge_strategy", "latest"]),
        ({"required": "yes"}, ["required"]),
    ],
)
def test_a_mistake_is_named_with_its_place(field, words):
    with pytest.raises(SchemaInvalid) as caught:
        ExtractionSchema.parse(schema_with(**field))
    for word in words:
        assert word in caught.value.detail


def test_duplicates_and_sizes_are_refused():
    field = {"name": "f"}
    group = {"name": "g", "fields": [field]}
    with pytest.raises(SchemaInvalid, match="'g' twice"):
        ExtractionSchema.parse({"name": "s", "field_groups": [group, group]})
    with pytest.raises(SchemaInvalid, match="'f' twice"):
        ExtractionSchema.parse({"name": "s", "field_groups": [{"name": "g", "fields": [field, field]}]})
    many = [{"name": f"g{n}", "fields": [field]} for n in range(51)]
    with pytest.raises(SchemaInvalid, match="field_groups"):
        ExtractionSchema.parse({"name": "s", "field_groups": many})
    assert len(ExtractionSchema.parse({"name": "s", "field_groups": many[:50]}).field_groups) == 50
    fields = [{"name": f"f{n}"} for n in range(101)]
    with pytest.raises(SchemaInvalid, match="fields"):
        ExtractionSchema.parse({"name": "s", "field_groups": [{"name": "g", "fields": fields}]})


def test_a_list_may_not_ask_for_more_items_than_the_limit():
    def schema(number):
        group = {"name": "g", "is_entity_list": True, "max_items": number, "fields": [{"name": "f"}]}
        return ExtractionSchema.parse({"name": "s", "field_groups": [group]})

    assert schema(MAX_ITEMS).group("g").max_items == MAX_ITEMS
    for number in (0, MAX_ITEMS + 1):
        with pytest.raises(SchemaInvalid, match="max_items"):
            schema(number)


def test_the_count_of_mistakes_is_honest():
    with pytest.raises(SchemaInvalid) as one:
        ExtractionSchema.parse(schema_with(colour="red"))
    assert "more mistake" not in one.value.detail
    with pytest.raises(SchemaInvalid) as two:
        ExtractionSchema.parse(schema_with(colour="red", shape="round"))
    assert "(1 more mistake after it)" in two.value.detail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "name", "field_type", "description", "required", "default", "enum_values", "merge_strategy", "schema_org",
    "selector", "pattern",
]  # fmt: skip
PLAUSIBLE = st.sampled_from(["f", "enum", "money", "list", "//a", "a::attr(href)", "Product.name", "(", "[["])


@given(raw=JSON)
def test_parse_raises_nothing_but_schema_invalid(raw):
    try:
        ExtractionSchema.parse(raw)
    except SchemaInvalid as error:
        assert error.detail


@given(field=st.dictionaries(st.sampled_from(KEYS), PLAUSIBLE | JSON), group=JSON)
def test_parse_of_near_schemas_raises_nothing_but_schema_invalid(field, group):
    raw = {"name": "s", "field_groups": [{"name": "g", "fields": [field]}, group]}
    for candidate in (raw, {**raw, "field_groups": raw["field_groups"][:1]}):
        try:
            schema = ExtractionSchema.parse(candidate)
        except SchemaInvalid as error:
            assert error.detail
        else:
            assert ExtractionSchema.parse(schema.to_json()) == schema
