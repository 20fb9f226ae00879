"""Advisory locks of PostgreSQL: all keys in one table, and one way to hold a lock.

The keys are arbitrary numbers of our own. A lock ends with its session at the latest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection

WORKER_LOCK = 0x51A7701  #: held by the process that hosts the workers of the embedded profile
MIGRATION_LOCK = 0x51A7702  #: held while migrations are applied
HEALER_LOCK = 0x51A7717  #: held by the one round of healing that does everything
AUDITOR_LOCK = 0x51A7A0D  #: held by the one audit under way


def job_lock_key(job_id: UUID) -> int:
    """Return the key under which one actor at a time finishes a job's removal: 64 mostly random bits of its id."""
    return int.from_bytes(job_id.bytes[8:], signed=True)


@contextmanager
def lock_tried(key: int) -> Iterator[bool]:
    """Yield whether this session got the lock, at once; it is released when the context ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        is_held = bool(cursor.fetchone()[0])
    try:
        yield is_held
    finally:
        if is_held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
