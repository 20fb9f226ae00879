"""API keys: created, looked up by hash, and revoked; a key acts as its user."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from jobs.errors import NotFound
from jobs.models import ApiKey

PREFIX = "qk_"
PREFIX_CHARACTERS = 10
USE_NOTED_EVERY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RevokeReceipt:
    """Whether this call revoked the key; False: it was revoked before."""

    changed: bool


@dataclass(slots=True)
class LocalKey:
    """A key that only this process and readers of its private file know; it acts as the first superuser."""

    value: str = ""


local_key = LocalKey()


def key_create(*, username: str, name: str) -> str:
    """Create a key for the user and return it; it cannot be read again. Raises: NotFound."""
    user = get_user_model().objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFound(
            f"There is no active user {username!r}. Create one in the admin or with `manage.py createsuperuser`."
        )
    key = PREFIX + secrets.token_urlsafe(32)
    ApiKey.objects.create(user=user, name=name[:100], prefix=key[:PREFIX_CHARACTERS], digest=_digest(key))
    return key


def key_revoke(*, key_id: int, actor: str = "", reason: str = "") -> RevokeReceipt:
    """Revoke a key permanently. Repeating the call is harmless. The admin's log records who did it and why."""
    changed = ApiKey.objects.filter(pk=key_id, revoked_at__isnull=True).update(revoked_at=Now())
    return RevokeReceipt(bool(changed))


def key_user(key: str) -> "object | None":
    """Return the active user the key acts as, None if it is unknown or revoked."""
    users = get_user_model().objects.filter(is_active=True)
    if local_key.value and secrets.compare_digest(key.encode(), local_key.value.encode()):
        return users.filter(is_superuser=True).order_by("pk").first()
    found = ApiKey.objects.filter(digest=_digest(key), revoked_at__isnull=True).values_list("pk", "user_id").first()
    if found is None:
        return None
    stale = timezone.now() - timedelta(seconds=USE_NOTED_EVERY_SECONDS)
    ApiKey.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lt=stale), pk=found[0]).update(
        last_used_at=Now()
    )
    return users.filter(pk=found[1]).first()


def _digest(key: str) -> str:
    """Return the hash under which a key is kept. The key is 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(key.encode()).hexdigest()
