"""Large tables: walked by primary key, and rows deleted without being loaded."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

IDS_PER_CHUNK = 1000


def id_chunks(rows: QuerySet[Any], *, size: int = IDS_PER_CHUNK) -> Iterator[list[Any]]:
    """Yield ascending primary keys, at most `size` at a time; safe while rows vanish."""
    ids = rows.order_by("pk").values_list("pk", flat=True)
    chunk = list(ids[:size])
    while chunk:
        yield chunk
        chunk = list(ids.filter(pk__gt=chunk[-1])[:size])


def rows_delete(rows: QuerySet[Any]) -> int:
    """Delete the rows by one statement; return how many.

    `QuerySet.delete` first loads every row and all rows that refer to it; here only the foreign keys say what must
    be deleted before. Raises: IntegrityError while a row is still referred to.
    """
    return rows._raw_delete(rows.db)  # the one use of this private method
