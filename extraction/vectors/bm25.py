"""BM25 as sparse vectors: the document carries the saturated term frequencies, the store the IDF.

Formula (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009), summed over
the query's tokens t:

    idf(t) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average))

Qdrant's IDF modifier multiplies by `idf(t) = ln(1 + (N - n + 0.5) / (n + 0.5))`, so a document vector
holds the last factor and a query vector holds ones. `average` is a constant: a point is written once,
while the true average moves with every page.
"""

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

K1 = 1.2
B = 0.5
AVERAGE_TOKENS = 190.0
MAX_TOKEN_CHARACTERS = 64
MAX_WORD_CHARACTERS = 1024
"""Longer ones are hashes or hostile input; they are cut, not dropped, so an exact paste still matches."""

# Words that ask rather than describe, in six languages. Left out of queries only: "how", "do" and "I" are
# rare in documentation, so IDF would weigh them like content. Words that name things elsewhere are not
# listed.
_QUESTION_WORDS = """
a about an and any are as at be been but by can could did do does for from had has have he her his how i
if in into is it its me my no of on or our out shall she should so than that the their them there these
they this those to us was we were what when where which who whom whose why will with would you your aus
bei bin das dass dem den der des ein eine einem einen einer eines für hat ich im ist kann mein meine mit
oder sich sie sind und von wann warum welche welcher welches wenn wer werden wie wird wo zu zum zur au aux
avec ce ces cette comment dans de du elle en est et il je la le les leur mes mon nous où par pour pourquoi
quand que quel quelle quelles quels qui quoi sont sur un une vous com como con cuál cuando cuándo cómo del
donde dónde el em es esta este los las mi más na nos onde para pela pelo por porque puedo quando qual quem
qué quién ser su sus são um uma una y che chi come cosa dei della delle di dove gli het hoe ik kan mijn
nel nella non per perché posso quale sono van voor waar waarom wat welke zijn
"""


def _character_class(*, categories: str) -> str:
    """Return the inside of a regex class with the BMP characters of these Unicode categories."""
    codes = [code for code in range(0x10000) if unicodedata.category(chr(code)) in categories.split()]
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges)


# Python's \w leaves out combining marks, which would cut Hindi or Tamil words at every vowel sign.
_MARKS = _character_class(categories="Mn Mc")
_WORD = re.compile(rf"\d+(?:\.\d+)+|[\w{_MARKS}]+")
_APOSTROPHE_TAIL = re.compile(r"(?<=\w)['’](?:s|t|re|ve|ll|d|m)\b", re.IGNORECASE)
# Scripts written without spaces: Thai, Lao, Myanmar, Khmer, kana, Han, Hangul.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_UNSPACED += "\U00020000-\U0003ffff"
_SCRIPT_RUN = re.compile(rf"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A sparse vector: `indices` are distinct, ascending 32-bit token hashes, `values` their weights."""

    indices: list[int]
    values: list[float]


def tokens(text: str) -> list[str]:
    """Return the index tokens of `text` in order, casefolded; identifiers appear whole and in parts."""
    normal = _APOSTROPHE_TAIL.sub("", unicodedata.normalize("NFKC", text))
    return [token for match in _WORD.finditer(normal) for token in _word_tokens(match.group()[:MAX_WORD_CHARACTERS])]


def token_index(token: str) -> int:
    """Return the stable 32-bit dimension of a token (CRC-32 of its UTF-8; the same on every machine)."""
    return zlib.crc32(token.encode("utf-8", "surrogatepass"))


def document_vector(text: str, *, k1: float = K1, b: float = B, average_tokens: float = AVERAGE_TOKENS) -> SparseVector:
    """Return the BM25 document weights of `text` (formula in the module's docstring)."""
    found = tokens(text)
    norm = k1 * (1 - b + b * len(found) / average_tokens)
    counts = Counter(token_index(token) for token in found)
    indices = sorted(counts)
    return SparseVector(indices, [counts[index] * (k1 + 1) / (counts[index] + norm) for index in indices])


def query_vector(text: str) -> SparseVector:
    """Return weight 1 for each distinct query token; question words count only where nothing else remains."""
    found = tokens(text)
    meant = [token for token in found if token not in QUERY_STOP_WORDS] or found
    indices = sorted({token_index(token) for token in meant})
    return SparseVector(indices, [1.0] * len(indices))


def without_question_words(text: str) -> str:
    """Return the words of a query that describe what is sought, or `text` where nothing else remains."""
    words = text.split()
    meant = [word for word in words if not QUERY_STOP_WORDS.issuperset(tokens(word))]
    return " ".join(meant) or text


@lru_cache(maxsize=20_000)
def _word_tokens(word: str) -> tuple[str, ...]:
    """Return the tokens of one word; remembered, because few words make up most of a text."""
    found: list[str] = []
    for run in _SCRIPT_RUN.findall(word):
        found.extend(_bigrams(run) if _IS_UNSPACED.match(run) else _identifier_tokens(run))
    return tuple(found)


def _bigrams(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    for position in range(len(run) - 1):
        yield run[position : position + 2]


def _identifier_tokens(word: str) -> Iterator[str]:
    """Yield the word itself, then its parts when it is written in snake_case or camelCase."""
    word = word.strip("_")[:MAX_TOKEN_CHARACTERS]
    if not word:
        return
    yield singular(word.casefold())
    parts = [part for piece in word.split("_") for part in _CAMEL.split(piece) if part]
    if len(parts) > 1:
        for part in parts:
            yield singular(part.casefold())


def singular(token: str) -> str:
    """Return `token` without its English plural ending (the S-stemmer of Harman, 1991)."""
    if len(token) < 4 or not token.endswith("s"):
        return token
    if token.endswith("ies") and not token.endswith(("eies", "aies")):
        return token[:-3] + "y"
    if token.endswith(("xes", "sses", "ches", "shes", "zes")):
        return token[:-2]
    if token.endswith(("us", "ss", "is")):
        return token
    return token[:-1]


# Compared after the plural ending is gone, like every token ("does" is "doe" there).
QUERY_STOP_WORDS = frozenset(singular(word) for word in _QUESTION_WORDS.split())
