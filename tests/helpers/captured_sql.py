"""What statements read: which columns every SELECT and RETURNING of a captured piece of work asks for."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

#: Keys, statuses, numbers and times, never what is bulky or everything; `removal` is a receipt, sixteen numbers.
SMALL = {
    *("id", "job_id", "source_id", "project_id", "lane_id", "point_id", "url", "key", "lease", "version"),
    *("status", "state", "reason", "outcome", "kind", "label", "name", "operation", "page_limit"),
    *("removal", "removal_error", "late_write_until", "false", "true"),
}
SMALL_KINDS = re.compile("[a-z_]+_at|is_[a-z_]+")  # times, and answers to a question
OURS = re.compile(r'(?:FROM|JOIN|INTO|UPDATE) "?(jobs|crawling|extraction)_[a-z]+\b')
LIST = re.compile(r"\b(?:SELECT(?: DISTINCT)?|RETURNING)\b(.*?)(?=\bSELECT\b|\bFROM\b|\bON CONFLICT\b|$)", re.DOTALL)
NOISE = re.compile(r"'[^']*'(::\w+)?|\bcount\(\*\)| AS \"?\w+\"?", re.IGNORECASE)
READ = re.compile(r'\*|\b[a-z_]\w*\b(?!"?\s*[.(])', re.IGNORECASE)  # what stands before a dot or a bracket is no column


def captured(work: Callable[[], Any]) -> list[str]:
    """Return the statements that `work` sends on this connection, those behind a cursor without its declaration."""
    with CaptureQueriesContext(connection) as queries:
        work()
    return [re.sub(r"^DECLARE .*? FOR ", "", query["sql"]) for query in queries.captured_queries]


def too_much(statements: Iterable[str]) -> list[tuple[str, str]]:
    """Return what of our tables is read beyond SMALL: (column or asterisk, statement)."""
    found = []
    for sql in statements:
        if OURS.search(sql):
            asked = [name for columns in LIST.findall(NOISE.sub("", sql)) for name in READ.findall(columns)]
            found += [(name, sql[:300]) for name in asked if name not in SMALL and not SMALL_KINDS.fullmatch(name)]
    return found
