"""REST: what every creating request shares, which is its `Idempotency-Key`."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, TypeVar

from django.http import HttpRequest, HttpResponse
from ninja import Status
from ninja.renderers import JSONRenderer
from pydantic import BaseModel, Field

from jobs.api import idempotency
from jobs.api.idempotency import KEEP_HOURS, KeyedRequest, StoredReply
from jobs.api.schemas import Reply
from jobs.models import IDEMPOTENCY_KEY_MAX_CHARACTERS
from jobs.postgres.transactions import committed

Made = TypeVar("Made", bound=Reply)

REPLAYED = "Idempotency-Replayed"

Key = Annotated[str, Field(min_length=1, max_length=IDEMPOTENCY_KEY_MAX_CHARACTERS, pattern="^[ -~]*$")]


class CreateHeaders(BaseModel):
    """The header that makes a creating request safe to repeat."""

    idempotency_key: Key | None = Field(
        None,
        alias="Idempotency-Key",
        description=f"Any text of your choice. A request repeated within {KEEP_HOURS} hours with the same key and body"
        f" creates nothing; it gets the first reply again, with the header {REPLAYED}: true.",
    )


def created(
    request: HttpRequest, headers: CreateHeaders, status: int, create: Callable[[], Made]
) -> Status[Made] | HttpResponse:
    """Return the reply of `create()`, run in one transaction; or the stored reply to the same request.

    Raises: what `create` raises; Invalid (code idempotency_mismatch), Conflict (code idempotency_in_progress).
    """
    if headers.idempotency_key is None:
        return Status(status, committed(create))
    keyed = _keyed(request, headers.idempotency_key)

    def create_once() -> Made | StoredReply:
        if stored := idempotency.key_take(keyed):
            return stored
        made = create()
        body = JSONRenderer().render(request, made.model_dump(), response_status=status)
        idempotency.reply_store(keyed, StoredReply(status, body))
        return made

    outcome = committed(create_once)
    if isinstance(outcome, StoredReply):
        return HttpResponse(
            outcome.body,
            status=outcome.status,
            content_type="application/json; charset=utf-8",
            headers={REPLAYED: "true"},
        )
    return Status(status, outcome)


def _keyed(request: HttpRequest, key: str) -> KeyedRequest:
    """Return what identifies the request; white space and the order of members in its body do not count."""
    body = json.dumps(json.loads(request.body), sort_keys=True) if request.body else ""
    digest = hashlib.sha256(body.encode()).hexdigest()
    return KeyedRequest(int(request.user.pk or 0), key, str(request.method), request.path, digest)
