"""Walking large tables by primary key."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

CHUNK = 1000


def id_chunks(rows: QuerySet[Any], *, size: int = CHUNK) -> Iterator[list[Any]]:
    """Yield ascending primary keys, at most `size` at a time; safe while rows vanish."""
    ids = rows.order_by("pk").values_list("pk", flat=True)
    chunk = list(ids[:size])
    while chunk:
        yield chunk
        chunk = list(ids.filter(pk__gt=chunk[-1])[:size])
