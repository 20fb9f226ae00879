"""The language of a page."""

import re

from py3langid import langid

MIN_LETTERS = 80  # with fewer, a guess is hardly better than chance
SAMPLE_CHARACTERS = 1_000  # 0.3 ms; the cost grows with the length, the certainty hardly

_TAG = re.compile(r"\s*([A-Za-z]{2,3})(?=$|[-_,;\s])")
_MARKUP = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|https?://\S+|[#*_|>\[\]-]", re.DOTALL)
_UNSPOKEN = frozenset({"mul", "und", "zxx", "mis"})


def page_language(declared: str | None, header: str | None, text: str) -> str:
    """Return the language of `text` as a lower-case ISO 639 code without region, empty if it cannot be told.

    declared: the page's lang attribute, which comes first. header: Content-Language, used if it names
    exactly one language. Else py3langid judges the words of `text` (Markdown), if there are enough.
    """
    return _code(declared) or ("" if "," in (header or "") else _code(header)) or guessed_language(text)


def guessed_language(text: str) -> str:
    """Return the language that `text` seems to be written in, empty when there is too little of it."""
    words = _MARKUP.sub(" ", text[: 3 * SAMPLE_CHARACTERS])[:SAMPLE_CHARACTERS]
    if sum(map(str.isalpha, words)) < MIN_LETTERS:
        return ""
    return str(langid.classify(words)[0])


def _code(tag: str | None) -> str:
    found = _TAG.match(tag or "")
    code = found[1].lower() if found else ""
    return "" if code in _UNSPOKEN else code
