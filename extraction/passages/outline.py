"""The outline of a Markdown text: its sections, each under a path of headings, and its tables."""

import re
from dataclasses import dataclass

MAX_HEADING_CHARACTERS = 200
MAX_TABLE_HEADER_CHARACTERS = 500

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$", re.DOTALL)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\n]{0,2000}\)")


@dataclass(frozen=True, slots=True)
class Section:
    """A range of the text under one heading path, half-open; `is_heading` when it holds nothing but a heading line."""

    start: int
    end: int
    path: tuple[str, ...]
    is_heading: bool = False


@dataclass(slots=True)
class Table:
    """A table: its header row, where its rows begin, and where it ends."""

    header: str
    rows_start: int
    end: int


def outline(text: str) -> tuple[list[Section], list[Table]]:
    """Return the sections, each beginning with its heading line, and the tables; fenced code is neither."""
    starts: list[int] = [0]
    paths: list[tuple[str, ...]] = [()]
    tables: list[Table] = []
    stack: list[tuple[int, str]] = []
    fence, start, previous = "", 0, ""
    for line in text.split("\n"):
        stripped = line.strip()
        if fence:
            if stripped.startswith(fence) and not stripped.strip(fence[0]):
                fence = ""
        elif opened := _fence(stripped):
            fence = opened
        elif stripped.startswith("#") and (match := _HEADING.match(line)):
            level = len(match[1])
            stack = [entry for entry in stack if entry[0] < level] + [(level, _heading_text(match[2] or ""))]
            starts.append(start)
            paths.append(tuple(heading for _, heading in stack if heading))
        elif "|" in stripped:
            _read_table_line(stripped, start, start + len(line), previous, tables)
        previous, start = line, start + len(line) + 1
    ends = [*starts[1:], len(text)]
    return [Section(*span) for span in zip(starts, ends, paths, strict=True)], tables


def _fence(stripped: str) -> str:
    """Return the fence that this line opens (three or more backticks or tildes), or an empty string."""
    marker = stripped[:1]
    if not stripped.startswith(("```", "~~~")):
        return ""
    info = stripped.lstrip(marker)
    return "" if marker == "`" and "`" in info else marker * (len(stripped) - len(info))


def _heading_text(raw: str) -> str:
    """Return a heading's words without link targets, emphasis, code marks and closing hashes."""
    words = without_link_targets(raw[: 4 * MAX_HEADING_CHARACTERS].strip().rstrip("#").rstrip())
    return words.replace("`", "").replace("**", "").strip()[:MAX_HEADING_CHARACTERS]


def _read_table_line(stripped: str, start: int, end: int, previous: str, tables: list[Table]) -> None:
    """Extend the table that ends just above this line, or open one when this is a delimiter row."""
    if tables and tables[-1].end == start - 1:
        tables[-1].end = end
    elif "-" in stripped and "|" in previous and not stripped.strip("|:- \t"):
        header = previous.strip()[:MAX_TABLE_HEADER_CHARACTERS]
        tables.append(Table(header=header, rows_start=end, end=end))


def without_link_targets(text: str) -> str:
    """Return the text with each link and image as its words alone."""
    return _LINK.sub(r"\1", text)
