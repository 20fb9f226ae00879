"""A client of the REST API: keys of users with exactly the permissions a test names."""

import json
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

from jobs.api.keys import key_create

PREFIX = "/api/v1"


class Api:
    """Sends requests with one key, as JSON; `status` and `body` of the reply are what tests look at."""

    def __init__(self, key: str | None) -> None:
        self.headers = {} if key is None else {"X-API-Key": key}
        self.client = Client()

    def send(self, method: str, path: str, body: Any = None, headers: Any = None, **query: Any) -> Any:
        """Send a request; a body that is bytes goes as it is."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method,
            PREFIX + path,
            content,
            content_type="application/json",
            headers=self.headers | (headers or {}),
            query_params=query or None,
        )

    def get(self, path: str, **query: Any) -> Any:
        """GET."""
        return self.send("GET", path, **query)

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """POST."""
        return self.send("POST", path, body, **query)


def user_with(*permissions: str, name: str = "worker") -> User:
    """Return a user with exactly these permissions, such as `jobs.view_job`."""
    user = User.objects.create_user(name)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def client_of(user: User) -> Api:
    """Return a client with a key of the user."""
    return Api(key_create(username=user.get_username(), name="test"))


def problem_of(response: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """Return the problem that a reply is, after checking what every problem has to be."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(response.content)
    assert problem["status"] == status
    assert problem["type"] == f"urn:quarry:problem:{problem['code']}"
    assert problem["title"]
    assert problem["detail"].endswith(".") and len(problem["detail"]) > 10
    if code is not None:
        assert problem["code"] == code
    return problem
