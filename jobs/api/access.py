"""Who may call what over REST: an API key acts as its user, and Django's permissions decide."""

from typing import Any

from django.http import HttpRequest
from ninja.security import APIKeyHeader

from jobs.api.keys import key_user
from jobs.errors import Forbidden


class XApiKey(APIKeyHeader):
    """Lets a request in when its key belongs to an active user with one permission; it then acts as that user.

    permission: such as `jobs.view_job`. It is checked before anything else in the request is read.
    """

    param_name = "X-API-Key"

    def __init__(self, permission: str) -> None:
        super().__init__()
        self.permission = permission

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        """Return the user, None for a missing, unknown or revoked key. Raises: Forbidden."""
        user: Any = key_user(key) if key else None
        if user is None:
            return None
        request.user = user
        permission_require(request, self.permission)
        return user


def permission_require(request: HttpRequest, permission: str) -> None:
    """Do nothing if the request's user has the permission. Raises: Forbidden."""
    user: Any = request.user
    if not user.has_perm(permission):
        raise Forbidden(
            f"The user {user.get_username()!r} lacks the permission {permission};"
            " grant it in the admin, or use the key of another user.",
            permission=permission,
        )


def actor_fields(request: HttpRequest) -> dict[str, Any]:
    """Return `actor_id` and `actor` as the services take them: the user whom the history shows."""
    return {"actor_id": request.user.pk, "actor": request.user.get_username()}
