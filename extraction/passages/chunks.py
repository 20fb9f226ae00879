"""Heading-aware chunks of Markdown with exact offsets, for search passages and for long prompts.

Sections are found first, so that a chunk does not straddle chapters; only a section longer than the limit is
split, by semantic-text-splitter, at the largest unit that fits (block, line, sentence, word). That library is
quadratic in the length of one block (measured: 51 s for one line of a million characters), so it sees bounded
windows only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile

from semantic_text_splitter import MarkdownSplitter

from extraction.passages.outline import Section, Table, outline, without_link_targets
from jobs.worker.cpu import cancellation_check

MAX_CHUNK_CHARACTERS = 2000
MIN_CHUNK_CHARACTERS = 400
WINDOW_CHARACTERS = 8_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a Markdown text.

    text: exactly `source[start:end]`. start, end: half-open, code points. heading_path: the headings
    above the passage, outermost first. ordinal: 0, 1, 2, … in text order. title: the page's.
    table_header: the header row of the table in whose middle the passage begins, else empty; it is
    context and lies outside the offsets.
    """

    text: str
    start: int
    end: int
    heading_path: tuple[str, ...]
    ordinal: int
    title: str = ""
    table_header: str = ""

    @property
    def context(self) -> str:
        """Return what surrounds the chunk: title and headings in one line, then the header row of its table."""
        path = [self.title, *(heading for heading in self.heading_path if heading != self.title)]
        return "\n".join(filter(None, (" > ".join(filter(None, path)), self.table_header)))


def index_text(*, text: str, context: str) -> str:
    """Return what is indexed of a chunk: its context, then its text, without the targets of links."""
    return without_link_targets("\n".join(filter(None, (context, text))))


def chunk_markdown(
    text: str,
    *,
    title: str | None = None,
    max_characters: int = MAX_CHUNK_CHARACTERS,
    min_characters: int = MIN_CHUNK_CHARACTERS,
) -> list[Chunk]:
    """Return the chunks of `text` in order; together they hold every character that is not white space.

    Headings are ATX (`## …`), as html-to-markdown writes them. max_characters: no chunk is longer.
    min_characters: a shorter fragment is joined with a neighbour when both fit into one chunk. Time is
    linear in the length of `text`, whatever it holds.

    Raises: ValueError unless `0 <= min_characters <= max_characters` and `max_characters >= 1`.
    """
    if not 0 <= min_characters <= max_characters or max_characters < 1:
        raise ValueError("chunk limits must satisfy 0 <= min_characters <= max_characters and max_characters >= 1")
    sections, tables = outline(text)
    pieces: list[Section] = []
    for section in sections:
        cancellation_check()
        pieces += _pieces(text, section, max_characters)
    merged = _merge_fragments(pieces, max_characters=max_characters, min_characters=min_characters)
    return [
        Chunk(
            text=text[span.start : span.end],
            start=span.start,
            end=span.end,
            heading_path=span.path,
            ordinal=ordinal,
            title=(title or "").strip(),
            table_header=header,
        )
        for ordinal, (span, header) in enumerate(_with_headers(merged, tables))
    ]


def _pieces(text: str, section: Section, max_characters: int) -> Iterator[Section]:
    """Yield the section, trimmed, in pieces of at most `max_characters`."""
    for start, end in _windows(text, section.start, section.end, max(WINDOW_CHARACTERS, 2 * max_characters)):
        body = text[start:end]
        stripped = body.strip()
        if not stripped:
            continue
        offset = start + body.index(stripped[0])
        if len(stripped) <= max_characters:
            is_heading = start == section.start and bool(section.path) and "\n" not in stripped
            yield Section(offset, offset + len(stripped), section.path, is_heading)
            continue
        for position, piece in _splitter(max_characters).chunk_indices(stripped):
            yield Section(offset + position, offset + position + len(piece), section.path)


def _windows(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of at most `size` that cover the text, cut after a blank line, a line or a space."""
    while end - start > size:
        middle, limit = start + size // 2, start + size
        cut = limit
        for separator in ("\n\n", "\n", " "):
            found = text.rfind(separator, middle, limit)
            if found >= 0:
                cut = found + len(separator)
                break
        yield start, cut
        start = cut
    yield start, end


@cache
def _splitter(max_characters: int) -> MarkdownSplitter:
    return MarkdownSplitter(max_characters)


def _merge_fragments(pieces: list[Section], *, max_characters: int, min_characters: int) -> list[Section]:
    """Join fragments shorter than the minimum with what follows, else with what precedes, where both fit.

    A lone heading belongs to what follows it, so it is never joined backwards.
    """
    merged: list[Section] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if last and piece.end - last.start <= max_characters:
            is_last_short = last.end - last.start < min_characters
            is_piece_short = piece.end - piece.start < min_characters and not piece.is_heading
            if is_last_short or is_piece_short:
                is_heading = last.is_heading and piece.is_heading
                merged[-1] = Section(last.start, piece.end, _shared(last.path, piece.path), is_heading)
                continue
        merged.append(piece)
    return merged


def _shared(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Return the headings that both paths begin with."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return tuple(heading for heading, _ in pairs)


def _with_headers(spans: list[Section], tables: list[Table]) -> Iterator[tuple[Section, str]]:
    """Yield each span with the header row of the table in whose rows it begins."""
    position = 0
    for span in spans:
        while position < len(tables) and tables[position].end <= span.start:
            position += 1
        header = ""
        if position < len(tables) and tables[position].rows_start <= span.start:
            header = tables[position].header
        yield span, header
