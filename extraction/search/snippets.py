"""Snippets: the part of a text that answers a query, in plain segments. No markup is ever produced here."""

import re
from collections.abc import Iterator

from extraction.vectors.bm25 import QUERY_STOP_WORDS, tokens

SNIPPET_CHARACTERS = 280

_WORD = re.compile(r"\w+(?:[.'’]\w+)*")
_SPACE = re.compile(r"\s+")
# Scripts written without spaces, where a match is a part of a run.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

Segment = tuple[str, bool]


def snippet_make(text: str, query: str, *, max_characters: int = SNIPPET_CHARACTERS) -> list[Segment]:
    """Return `(text, is_match)` segments of the window in which the query's words are densest.

    Words match as they do in the index: without case, plural endings and the parts of identifiers included.
    White space is collapsed; `…` marks where the text goes on. Without a match, the beginning is shown.
    """
    plain = _SPACE.sub(" ", text).strip()
    matches = list(_matches(plain, _wanted(query)))
    start, end = _window(plain, matches, max_characters)
    segments: list[Segment] = [("…", False)] if start > 0 else []
    position = start
    for first, last in matches:
        if first < position or last > end:
            continue
        segments += [(plain[position:first], False), (plain[first:last], True)]
        position = last
    segments += [(plain[position:end], False), ("…" if end < len(plain) else "", False)]
    return _joined(segments)


def _wanted(query: str) -> frozenset[str]:
    found = tokens(query)
    return frozenset([token for token in found if token not in QUERY_STOP_WORDS] or found)


def _matches(text: str, wanted: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Yield the half-open spans of matching words, ascending and disjoint."""
    for word in _WORD.finditer(text):
        if wanted.isdisjoint(tokens(word[0])):
            continue
        if _UNSPACED.search(word[0]):
            yield from _parts(word[0].casefold(), word.start(), wanted)
        else:
            yield word.span()


def _parts(run: str, offset: int, wanted: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Yield the spans covered by wanted pairs of characters; overlapping pairs make one span."""
    start = end = -1
    for position in range(len(run)):
        length = next((size for size in (2, 1) if run[position : position + size] in wanted), 0)
        if not length:
            continue
        if position > end:
            if end > start:
                yield offset + start, offset + end
            start = position
        end = position + length
    if end > start:
        yield offset + start, offset + end


def _window(text: str, matches: list[tuple[int, int]], size: int) -> tuple[int, int]:
    """Return the range of at most about `size` characters with most matches, cut at words."""
    if len(text) <= size or not matches:
        return 0, _word_end(text, min(len(text), size))
    best, most, last = 0, 0, 0
    for first in range(len(matches)):
        while last < len(matches) and matches[last][1] <= matches[first][0] + size * 3 // 4:
            last += 1
        if last - first > most:
            best, most = first, last - first
    start = max(0, min(matches[best][0] - size // 4, len(text) - size))
    if start:
        space = text.find(" ", start, matches[best][0])
        start = space + 1 if space >= 0 else start
    return start, _word_end(text, min(len(text), start + size))


def _word_end(text: str, end: int) -> int:
    """Return `end`, moved back to the end of a word unless that would lose much."""
    if end >= len(text) or text[end] == " ":
        return end
    space = text.rfind(" ", max(0, end - 40), end)
    return space if space > 0 else end


def _joined(segments: list[Segment]) -> list[Segment]:
    """Return the segments without empty ones, neighbours of the same kind joined."""
    joined: list[Segment] = []
    for text, is_match in segments:
        if not text:
            continue
        if joined and joined[-1][1] is is_match:
            joined[-1] = (joined[-1][0] + text, is_match)
        else:
            joined.append((text, is_match))
    return joined
