"""Where a quote stands in a text: exactly, else but for spaces, case and typography, else nearly.

Whatever the way, the figures and the months of the place found are those of the quote: a changed number
reaches a similarity of 85 easily, and would be the worst kind of proof.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz import fuzz

from extraction.states import Match
from extraction.values.months import months_named

FUZZY_CUTOFF = 85
MIN_FUZZY_CHARACTERS = 12
MAX_FUZZY_CHARACTERS = 2000
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`ʼ", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff*_\\", ""),
        "…": "...",
    }
)


class Span(NamedTuple):
    """A half-open range of code points, and how it was found."""

    start: int
    end: int
    match: Match
    similarity: float  #: 0 to 100


class _Normalised(NamedTuple):
    text: str
    origins: list[int]  #: index in the original of each character, and its length at the end


def locate(text: str, quote: str) -> Span | None:
    """Return the first place in `text` where `quote` stands, or None.

    A place that would cut a number or, for a single word, a longer word in two does not count.
    """
    quote = quote.strip()
    return locate_verbatim(text, quote) or (_locate_nearly(text, quote) if quote and text else None)


def locate_verbatim(text: str, quote: str) -> Span | None:
    """Return the first place where `quote` stands exactly, or but for spaces, case and typography."""
    quote = quote.strip()
    if not quote or not text:
        return None
    return _locate_exactly(text, quote) or _locate_normalised(text, quote)


def same_figures(one: str, other: str) -> bool:
    """Return whether two strings state the same numbers and months in the same order."""
    return _figures(one) == _figures(other) and months_named(one) == months_named(other)


def _figures(text: str) -> list[str]:
    return [unicodedata.normalize("NFKC", figure) for figure in _FIGURE.findall(text)]


def _locate_exactly(text: str, quote: str) -> Span | None:
    for start in _occurrences(text, quote):
        if not _cuts(text, start, start + len(quote), quote):
            return Span(start, start + len(quote), Match.EXACT, 100.0)
    return None


def _locate_normalised(text: str, quote: str) -> Span | None:
    within, wanted = _normalised_page(text), _normalise(quote).text.strip()
    if not wanted:
        return None
    for start in _occurrences(within.text, wanted):
        span = _original_span(within, start, start + len(wanted), Match.NORMALISED, 100.0)
        if not _cuts(text, span.start, span.end, quote) and same_figures(text[span.start : span.end], quote):
            return span
    return None


def _locate_nearly(text: str, quote: str) -> Span | None:
    within, wanted = _normalised_page(text), _normalise(quote).text.strip()
    if not MIN_FUZZY_CHARACTERS <= len(wanted) <= min(len(within.text), MAX_FUZZY_CHARACTERS):
        return None
    found = fuzz.partial_ratio_alignment(wanted, within.text, score_cutoff=FUZZY_CUTOFF)
    if found is None:
        return None
    start, end = _whole_words(within.text, found.dest_start, found.dest_end, wanted)
    similarity = fuzz.ratio(wanted, within.text[start:end])
    if similarity < FUZZY_CUTOFF:
        return None
    span = _original_span(within, start, end, Match.FUZZY, similarity)
    place = text[span.start : span.end]
    if _cuts(text, span.start, span.end, quote) or not same_figures(place, quote) or _negates(place, quote):
        return None
    return span


def _whole_words(text: str, start: int, end: int, wanted: str) -> tuple[int, int]:
    """Return the range widened to whole words, without marks at its ends that the quote does not have."""
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    while start < end and not text[start].isalnum() and text[start] != wanted[0]:
        start += 1
    while end > start and not text[end - 1].isalnum() and text[end - 1] != wanted[-1]:
        end -= 1
    return start, end


_NEGATION = re.compile(r"\b(?:no|not|non|never|without|nicht|kein|keine|ohne|pas|sans|sin|senza|sem)\b|n't\b", re.I)


def _negates(place: str, quote: str) -> bool:
    """Return whether exactly one of the two says no, which a similarity does not notice."""
    return len(_NEGATION.findall(place)) != len(_NEGATION.findall(quote))


def _occurrences(text: str, quote: str) -> Iterator[int]:
    start = text.find(quote)
    while start >= 0:
        yield start
        start = text.find(quote, start + 1)


def _cuts(text: str, start: int, end: int, quote: str) -> bool:
    """Return whether the place begins or ends inside a number, or a one-word quote inside a longer word."""
    single_word = not re.search(r"\s", quote)
    inside_first, inside_last = text[start : min(end, start + 2)], text[max(start, end - 2) : end]
    return _joined(text[max(0, start - 2) : start], inside_first, single_word=single_word) or _joined(
        inside_last, text[end : end + 2], single_word=single_word
    )


def _joined(left: str, right: str, *, single_word: bool) -> bool:
    """Return whether two neighbouring pieces of text belong to one number or, if asked, to one word."""
    if not left or not right:
        return False
    before, after = left[-1], right[0]
    if before.isdecimal() and after.isdecimal():
        return True
    if before in ".,":  # 1|.5 and 1.|5 both cut a number
        return len(left) == 2 and left[0].isdecimal() and after.isdecimal()
    if after in ".,":
        return len(right) == 2 and right[1].isdecimal() and before.isdecimal()
    return single_word and _spells(before) and _spells(after)


def _spells(character: str) -> bool:
    """Return whether words are written with spaces in this character's script."""
    return character.isalnum() and not "\u0e00" <= character <= "\u0fff" and not "\u3040" <= character <= "\ud7af"


def _original_span(within: _Normalised, start: int, end: int, match: Match, similarity: float) -> Span:
    first = within.origins[start]
    last = within.origins[end - 1] + 1
    return Span(first, last, match, similarity)


@lru_cache(maxsize=4)
def _normalised_page(text: str) -> _Normalised:
    """Return the compared form of an evidence text, kept while its quotes are looked up."""
    return _normalise(text)


def _normalise(text: str) -> _Normalised:
    """Return `text` as compared: decomposed, lower case, plain quotes and dashes, single spaces."""
    characters: list[str] = []
    origins: list[int] = []
    after_space = True
    for index, form in enumerate(map(_PLAIN_FORMS.__getitem__, text)):
        for plain in form:
            if plain != " " or not after_space:
                characters.append(plain)
                origins.append(index)
            after_space = plain == " "
    origins.append(len(text))
    return _Normalised("".join(characters), origins)


class _PlainForms(dict[str, str]):
    """The compared form of each character, worked out when first met."""

    def __missing__(self, character: str) -> str:
        plain = unicodedata.normalize("NFKD", character.translate(_TYPOGRAPHY)).casefold()
        self[character] = re.sub(r"\s", " ", plain)
        return self[character]


_PLAIN_FORMS = _PlainForms()
