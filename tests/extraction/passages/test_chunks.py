import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extraction.passages.chunks import MAX_CHUNK_CHARACTERS, Chunk, chunk_markdown, index_text
from extraction.passages.outline import MAX_HEADING_CHARACTERS, MAX_TABLE_HEADER_CHARACTERS
from tests.helpers.growth import LINEAR_AT_MOST, growth

SENTENCE = "The planner reads statistics before it chooses a plan. "


def indexed(chunk: Chunk) -> str:
    return index_text(text=chunk.text, context=chunk.context)


def paths(chunks: list[Chunk]) -> list[tuple[str, ...]]:
    return [chunk.heading_path for chunk in chunks]


def test_sections_become_chunks_with_their_heading_path():
    headings = ["# Guide", "## Setup", "### Linux", "## Use"]
    text = "\n\n".join(f"{heading}\n\n{SENTENCE * 3}" for heading in headings)
    chunks = chunk_markdown(text, max_characters=400, min_characters=50)
    assert paths(chunks) == [("Guide",), ("Guide", "Setup"), ("Guide", "Setup", "Linux"), ("Guide", "Use")]
    assert chunks[1].text.startswith("## Setup\n\nThe planner")
    assert [chunk.ordinal for chunk in chunks] == [0, 1, 2, 3]


def test_a_long_section_is_split_at_sentences_with_exact_offsets():
    text = "# Ä 👩‍👩‍👧 title\n\n" + SENTENCE * 50
    chunks = chunk_markdown(text, max_characters=300, min_characters=50)
    assert len(chunks) > 8
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert all(len(chunk.text) <= 300 and chunk.text.endswith(".") for chunk in chunks)
    assert set(paths(chunks)) == {("Ä 👩‍👩‍👧 title",)}


@pytest.mark.parametrize("fence", ["```", "~~~~", "  ```"])
def test_fenced_code_holds_no_headings(fence):
    code = f"{fence}sh\n# a comment\n| a | b |\n| - | - |\n{fence}"
    text = f"# Real\n\n{code}\n\n{SENTENCE}\n\n# Next\n\n{SENTENCE}"
    chunks = chunk_markdown(text, max_characters=500, min_characters=0)
    assert paths(chunks) == [("Real",), ("Next",)]


def test_a_shorter_fence_or_an_inline_one_does_not_close_or_open():
    text = "````\n```\n# no heading\n````\n# Heading\n```inline``` code\n# Second\nbody"
    assert paths(chunk_markdown(text, max_characters=500, min_characters=0)) == [
        (),
        ("Heading",),
        ("Second",),
    ]


@pytest.mark.parametrize("line", ["#hashtag", "####### seven", "    # indented code", "\\# escaped"])
def test_lines_that_are_no_headings(line):
    assert paths(chunk_markdown(f"{line}\n\ntext")) == [()]


def test_headings_are_named_by_their_words():
    text = "## **Bold** `code` [link](https://example.org/a) ##\n\nbody"
    assert paths(chunk_markdown(text)) == [("Bold code link",)]


def test_a_tables_header_row_is_context_and_outside_the_offsets():
    rows = "".join(f"| item {number} | {number * 3} euro |\n" for number in range(60))
    text = f"# Prices\n\n| Name | Price |\n| --- | ---: |\n{rows}\n{SENTENCE * 4}"
    chunks = chunk_markdown(text, max_characters=400, min_characters=0)
    inside = [chunk for chunk in chunks if chunk.table_header]
    assert len(inside) >= 3
    assert {chunk.table_header for chunk in inside} == {"| Name | Price |"}
    assert all("| Name |" not in chunk.text and "| Name | Price |" in indexed(chunk) for chunk in inside)
    [first] = [chunk for chunk in chunks if "| Name | Price |" in chunk.text]
    assert first.table_header == "" and first.ordinal < inside[0].ordinal
    assert chunks[-1].table_header == "" and chunks[-1].text.endswith("plan.")


def test_fragments_are_joined_and_share_the_common_path():
    text = "# Terms\n\n## A\n\nshort\n\n## B\n\nshort too\n\n## C\n\n" + SENTENCE * 10
    chunks = chunk_markdown(text, max_characters=700, min_characters=200)
    assert paths(chunks) == [("Terms",)]
    assert chunk_markdown(text, max_characters=560, min_characters=200)[0].heading_path == ("Terms",)
    assert len(chunk_markdown(text, max_characters=560, min_characters=200)) == 2


def test_a_lone_heading_stays_with_what_follows():
    text = f"# One\n\n{SENTENCE * 3}\n\n# Two\n\n## Inner\n\n{SENTENCE * 3}"
    chunks = chunk_markdown(text, max_characters=260, min_characters=100)
    assert [chunk.text.splitlines()[0] for chunk in chunks] == ["# One", "# Two"]
    assert paths(chunks) == [("One",), ("Two",)]


def test_index_text_has_title_path_and_no_link_targets():
    [chunk] = chunk_markdown('# Install\n\nSee [the guide](https://example.org/x "T").', title=" Manual ")
    assert indexed(chunk) == "Manual > Install\n# Install\n\nSee the guide."
    [chunk] = chunk_markdown("# Install\n\nNow.", title="Install")
    assert indexed(chunk) == "Install\n# Install\n\nNow."


@pytest.mark.parametrize("text", ["", " \n\t\n", "\u3000"])
def test_nothing_but_space_makes_no_chunk(text):
    assert chunk_markdown(text, title="T") == []


@pytest.mark.parametrize(("maximum", "minimum"), [(0, 0), (10, 11), (10, -1)])
def test_impossible_limits_are_refused(maximum, minimum):
    with pytest.raises(ValueError, match="chunk limits"):
        chunk_markdown("a", max_characters=maximum, min_characters=minimum)


BLOCKS = ["# A\n", "\n## B\n", "\n```\n", "\n~~~\n", "| a | b |\n|---|---|\n| 1 | 2 |\n", "- x\n", "> q\n"]
CHARACTERS = ["\n\n", "\r\n", "\u2028", "👩‍👩‍👧‍👦" * 9, "e\u0301" * 20, "\x00", "\x0b\x0c\x1c", SENTENCE * 4]
markdown = st.lists(st.text(max_size=60) | st.sampled_from(BLOCKS + CHARACTERS), max_size=25).map("".join)


@given(markdown, st.integers(1, 300), st.integers(0, 100))
@settings(deadline=None)
def test_chunks_are_exact_ordered_and_complete(text, maximum, minimum):
    chunks = chunk_markdown(text, max_characters=maximum, min_characters=min(minimum, maximum))
    position = 0
    for ordinal, chunk in enumerate(chunks):
        assert chunk.ordinal == ordinal
        assert chunk.text == text[chunk.start : chunk.end]
        assert 0 < len(chunk.text) <= maximum
        assert position <= chunk.start
        assert not text[position : chunk.start].strip()
        position = chunk.end
    assert not text[position:].strip()


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "lorem ipsum dolor. " * 50_000,
        "[" * 1_000_000,
        "[a](" * 250_000,
        "*a *" * 250_000,
        "> " * 500_000,
        "#" * 1_000_000,
        "# a\n" * 100_000,
        "|-|\n" * 250_000,
        "```\n" * 250_000,
        "\n" * 1_000_000,
        " " * 999_999 + "x",
    ],
    ids=lambda text: repr(text[:6]),
)
def test_hostile_input_costs_linear_time(text):
    def work(part: str) -> None:
        chunks = chunk_markdown(part, title="T")
        assert sum(len(indexed(chunk)) for chunk in chunks) < 2_000_000

    assert growth(work, text) < LINEAR_AT_MOST


def test_no_chunk_is_longer_than_the_limit():
    assert [len(chunk.text) for chunk in chunk_markdown("x" * MAX_CHUNK_CHARACTERS)] == [MAX_CHUNK_CHARACTERS]
    chunks = chunk_markdown("x" * (MAX_CHUNK_CHARACTERS + 1))
    assert len(chunks) == 2 and all(len(chunk.text) <= MAX_CHUNK_CHARACTERS for chunk in chunks)


def test_a_long_heading_and_a_long_table_header_are_cut_in_the_context():
    [chunk] = chunk_markdown(f"# {'h' * (MAX_HEADING_CHARACTERS + 1)}\n\nwords")
    assert chunk.heading_path == ("h" * MAX_HEADING_CHARACTERS,)
    rows = "".join(f"| {'v' * 30} |\n" for _ in range(200))
    chunks = chunk_markdown(f"| {'c' * MAX_TABLE_HEADER_CHARACTERS} |\n|---|\n{rows}")
    assert {len(chunk.table_header) for chunk in chunks} == {0, MAX_TABLE_HEADER_CHARACTERS}
