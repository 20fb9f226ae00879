import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.vectors import bm25
from extraction.vectors.bm25 import (
    K1,
    MAX_TOKEN_CHARACTERS,
    MAX_WORD_CHARACTERS,
    B,
    document_vector,
    query_vector,
    singular,
    token_index,
    tokens,
    without_question_words,
)
from tests.helpers.growth import LINEAR_AT_MOST, growth


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Create the TABLE", ["create", "the", "table"]),
        ("pg_stat_activity", ["pg_stat_activity", "pg", "stat", "activity"]),
        ("_private_", ["private"]),
        ("readTimeout", ["readtimeout", "read", "timeout"]),
        ("HTTPServer", ["httpserver", "http", "server"]),
        ("PostgreSQL 15.20", ["postgresql", "postgre", "sql", "15.20"]),
        ("well-known", ["well", "known"]),
        ("it's the user's", ["it", "the", "user"]),
        (
            "queries indexes classes tables status analysis",
            ["query", "index", "class", "table", "status", "analysis"],
        ),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ﬁle", ["file"]),
        ("東京都", ["東京", "京都"]),
        ("猫", ["猫"]),
        ("iPhone用ケース", ["iphone", "i", "phone", "用ケ", "ケー", "ース"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("…!? --", []),
        ("", []),
    ],
)
def test_tokens(text, expected):
    assert tokens(text) == expected


def test_a_query_for_an_identifier_meets_its_parts_and_the_whole():
    whole, part = query_vector("pg_stat_activity"), query_vector("activity")
    document = document_vector("the view pg_stat_activity shows sessions")
    assert set(whole.indices) <= set(document.indices)
    assert set(part.indices) <= set(document.indices)


def test_document_weights_follow_the_formula():
    text = "vacuum vacuum table"
    vector = document_vector(text, average_tokens=6)
    weights = dict(zip(vector.indices, vector.values, strict=True))
    norm = K1 * (1 - B + B * 3 / 6)
    assert weights == pytest.approx(
        {token_index("vacuum"): 2 * (K1 + 1) / (2 + norm), token_index("table"): (K1 + 1) / (1 + norm)}
    )


def test_a_longer_document_weighs_a_token_less():
    short, long = document_vector("lock"), document_vector("lock " + "other words " * 300)
    assert short.values[0] > long.values[long.indices.index(token_index("lock"))]


def test_token_index_is_stable():
    assert token_index("vacuum") == 3_523_834_754
    assert token_index("\ud800") < 2**32


def test_query_leaves_question_words_out():
    assert query_vector("How do I lock a table?") == query_vector("lock table")
    assert query_vector("Wie kann ich eine Tabelle sperren?") == query_vector("Tabelle sperren")
    assert set(query_vector("does it lock").values) == {1.0}
    assert query_vector("does it lock") == query_vector("lock")


def test_a_query_of_question_words_alone_keeps_them():
    assert query_vector("to be or not to be").indices
    assert query_vector("what is it").indices == sorted(token_index(word) for word in ("what", "is", "it"))
    assert query_vector("?!").indices == []


def test_without_question_words():
    assert without_question_words("How do I find C++ code ?") == "find C++ code"
    assert without_question_words("what is it") == "what is it"


@pytest.mark.parametrize("word", ["bus", "glass", "is", "as", "gas", "thesis"])
def test_words_that_only_look_like_plurals_stay(word):
    assert singular(word) == word


@given(st.text(max_size=300))
def test_any_text_makes_a_valid_vector(text):
    vector = document_vector(text)
    assert vector.indices == sorted(set(vector.indices))
    assert len(vector.indices) == len(vector.values)
    assert all(0 <= index < 2**32 for index in vector.indices)
    assert all(0 < value <= K1 + 1 and math.isfinite(value) for value in vector.values)
    assert tokens(text) == tokens(unicodedata.normalize("NFKC", text))


@given(st.text(max_size=80))
def test_a_text_contains_the_tokens_it_is_asked_for(text):
    assert set(query_vector(text).indices) <= set(document_vector(text).indices)


@pytest.mark.parametrize("text", ["a" * 1_000_000, "_" * 1_000_000, "aB" * 500_000, "漢" * 1_000_000, "1." * 500_000])
def test_hostile_runs_cost_little(text):
    assert len(document_vector(text).indices) < 3000

    def work(part: str) -> None:
        bm25._word_tokens.cache_clear()  # a word that was met before costs nothing
        document_vector(part)

    assert growth(work, text) < LINEAR_AT_MOST


def test_a_long_identifier_is_cut_and_still_found():
    assert (
        tokens("x" * (MAX_TOKEN_CHARACTERS + 1)) == tokens("x" * MAX_TOKEN_CHARACTERS) == ["x" * MAX_TOKEN_CHARACTERS]
    )


def test_a_long_run_is_read_up_to_the_limit():
    within, beyond = "漢字" * (MAX_WORD_CHARACTERS // 2), "漢字" * MAX_WORD_CHARACTERS
    assert len(tokens(within)) == len(tokens(beyond)) == MAX_WORD_CHARACTERS - 1
