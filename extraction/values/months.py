"""Month names of the languages whose dates we read."""

from __future__ import annotations

import re
import unicodedata

#: English, German, French, Spanish, Italian, Portuguese, Dutch; accents are dropped before look-up.
MONTH_NAMES: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "jan january januar janvier janv enero ene gennaio gen janeiro januari jaenner janner",
        "feb february februar fevrier fevr febrero febbraio fevereiro fev februari",
        "mar march marz maerz mars marzo marco maart mrt",
        "apr april avril avr abril abr aprile",
        "may mai mayo maggio mag maio mei",
        "jun june juni juin junio giugno giu junho",
        "jul july juli juillet juil julio luglio lug julho",
        "aug august aout agosto ago augustus",
        "sep sept september septembre septiembre settembre set setembro",
        "oct october oktober okt octobre octubre ottobre ott outubro out",
        "nov november novembre noviembre novembro",
        "dec december dezember dez decembre diciembre dic dicembre dezembro",
    )
)
_NUMBER_OF = {name: number for number, names in enumerate(MONTH_NAMES, start=1) for name in names}
_WORD = re.compile(r"[^\W\d_]+")


def month_number(word: str) -> int | None:
    """Return 1 to 12 when `word` names a month, else None."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))
    return _NUMBER_OF.get(plain)


def months_named(text: str) -> list[int]:
    """Return the months named in `text`, in order of appearance."""
    numbers = (month_number(word) for word in _WORD.findall(text))
    return [number for number in numbers if number is not None]
