"""Idempotency keys: a creating request that is sent again gets the reply of the first, and creates nothing.

The key is taken in the transaction that creates, so that two requests with the same key never both create: the
second waits at the unique index for the first to commit or roll back. A refused creation leaves no key behind.
"""

from dataclasses import dataclass

from django.db import OperationalError, connection

from jobs.api.waiting import places
from jobs.errors import Conflict, Invalid
from jobs.models import IdempotencyKey
from jobs.registry.chores import Chore

KEEP_HOURS = 24
WAIT_SECONDS = 5  # for an earlier request with the same key to finish
EXPIRE_AT_ONCE = 1000
LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """What distinguishes a repeated request from another one with the same key. digest: SHA-256 of the body, in hex."""

    user_id: int
    key: str
    method: str
    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class StoredReply:
    """The exact reply to the first request."""

    status: int
    body: str


def key_take(request: KeyedRequest) -> StoredReply | None:
    """Take the key in this transaction and return None; or return the stored reply if it was taken before.

    Raises: Invalid (code idempotency_mismatch), Conflict (code idempotency_in_progress).
    """
    with places.taken() as has_place:
        is_taken = _inserted(request, wait_milliseconds=WAIT_SECONDS * 1000 if has_place else 1)
    if is_taken:
        return None
    stored = IdempotencyKey.objects.filter(user_id=request.user_id, key=request.key).first()
    if stored is None:  # it expired between the two statements
        raise _in_progress()
    if (stored.method, stored.path, stored.digest) != (request.method, request.path, request.digest):
        raise Invalid(
            f"The Idempotency-Key {request.key!r} was used for a different request; use a new key for a new request.",
            code="idempotency_mismatch",
        )
    return StoredReply(stored.status, stored.body)


_INSERT = """
    INSERT INTO jobs_idempotencykey AS known (user_id, key, method, path, digest, status, body, created_at)
    VALUES (%s, %s, %s, %s, %s, 0, '', clock_timestamp())
    ON CONFLICT (user_id, key) DO UPDATE
    SET method = EXCLUDED.method, path = EXCLUDED.path, digest = EXCLUDED.digest, status = 0, body = '',
        created_at = EXCLUDED.created_at
    WHERE known.created_at < clock_timestamp() - make_interval(hours => %s)
    RETURNING id
"""


def _inserted(request: KeyedRequest, *, wait_milliseconds: int) -> bool:
    values = (request.user_id, request.key, request.method, request.path, request.digest, KEEP_HOURS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{wait_milliseconds}ms"])
        try:
            cursor.execute(_INSERT, values)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE:
                raise _in_progress() from error
            raise
        is_taken = cursor.fetchone() is not None
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    return is_taken


def _in_progress() -> Conflict:
    return Conflict(
        "A request with this Idempotency-Key is still under way; repeat it in a few seconds to get its reply.",
        code="idempotency_in_progress",
    )


def reply_store(request: KeyedRequest, reply: StoredReply) -> None:
    """Keep the reply under the key that this transaction has taken."""
    rows = IdempotencyKey.objects.filter(user_id=request.user_id, key=request.key)
    rows.update(status=reply.status, body=reply.body)


class KeyExpiry(Chore):
    """Removes old keys in each round of healing. See `jobs.registry.chores.Chore`."""

    name = "idempotency keys"

    def wake_if_due(self) -> int:
        """Remove some expired keys at once, which is one short statement; return 0: no message is sent."""
        keys_expire()
        return 0

    def is_idle(self) -> bool:
        """Return True: no command waits for this chore."""
        return True


def keys_expire() -> int:
    """Remove up to EXPIRE_AT_ONCE keys older than KEEP_HOURS; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM jobs_idempotencykey WHERE id IN (SELECT id FROM jobs_idempotencykey"
            " WHERE created_at < clock_timestamp() - make_interval(hours => %s)"
            " ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)",
            [KEEP_HOURS, EXPIRE_AT_ONCE],
        )
        return int(cursor.rowcount)
