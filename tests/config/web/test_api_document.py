"""The OpenAPI document is complete, and every operation in it is behind a key and a permission."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from config.web.api import api as quarry_api
from tests.helpers.api_client import PREFIX, Api, problem_of

SOME_ID = str(UUID(int=7))
METHODS = {"get", "post", "put", "delete"}


def document() -> dict[str, Any]:
    """Return the OpenAPI document as a client reads it."""
    return Client().get(f"{PREFIX}/openapi.json").json()


def operations() -> list[Any]:
    """Return a parameter per operation: method, path with ids filled in, and the operation."""
    paths = json.loads(json.dumps(quarry_api.get_openapi_schema(path_prefix="")["paths"]))
    return [
        pytest.param(method.upper(), _filled(path), operation, id=f"{method} {path}")
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def _filled(path: str) -> str:
    for name in ("{project_id}", "{job_id}"):
        path = path.replace(name, SOME_ID)
    return "/" + path.replace("{name}", "default").lstrip("/")


def test_what_must_be_there_is_there():
    paths = document()["paths"]
    found = {f"{method.upper()} {path.removeprefix(PREFIX)}" for path, ops in paths.items() for method in ops}
    assert found >= {
        "POST /projects",
        "GET /projects",
        "POST /projects/from-template",
        "GET /projects/templates",
        "GET /projects/templates/{name}",
        "GET /projects/{project_id}",
        "PUT /projects/{project_id}",
        "DELETE /projects/{project_id}",
        "POST /crawl",
        "GET /crawl/{job_id}",
        "POST /scrape",
        "GET /scrape/{job_id}",
        "POST /projects/{project_id}/extract",
        "GET /projects/{project_id}/extractions",
        "GET /projects/{project_id}/sources",
        "GET /projects/{project_id}/sources/summary",
        "POST /projects/{project_id}/search",
        "GET /jobs",
        "GET /jobs/{job_id}",
        "POST /jobs/{job_id}/cancel",
        "POST /jobs/{job_id}/pause",
        "POST /jobs/{job_id}/resume",
        "POST /jobs/{job_id}/retry",
        "POST /jobs/{job_id}/cleanup",
        "DELETE /jobs/{job_id}",
        "POST /jobs/bulk/cancel",
        "POST /jobs/bulk/cleanup",
        "POST /jobs/bulk/delete",
        "POST /jobs/bulk/retry",
        "POST /jobs/bulk/pause",
        "POST /jobs/bulk/resume",
        "GET /jobs/{job_id}/items",
        "GET /jobs/{job_id}/events",
    }


@pytest.mark.parametrize(("method", "path", "operation"), operations())
def test_every_reply_is_declared_and_typed(method, path, operation):
    responses = {int(status): response for status, response in operation["responses"].items()}
    assert {401, 403, 422, 500, 503} <= responses.keys()
    assert sum(status < 300 for status in responses) >= 1
    assert (404 in responses) == ("{" in path or SOME_ID in path or "default" in path or _names_a_project(operation))
    assert not operation.get("requestBody") or {400, 413} <= responses.keys()
    assert operation["description"].endswith(".")
    for status, response in responses.items():
        if status == 204:
            assert "content" not in response
            continue
        media_type = "application/json" if status < 400 else "application/problem+json"
        assert list(response["content"]) == [media_type]
        schema = response["content"][media_type]["schema"]
        assert _is_typed(schema), schema
        if status >= 400:
            assert schema == {"$ref": "#/components/schemas/Problem"}


def _names_a_project(operation: dict[str, Any]) -> bool:
    return any(word in operation["operationId"] for word in ("start_", "from_template"))


def _is_typed(schema: dict[str, Any]) -> bool:
    if "anyOf" in schema:
        return all(_is_typed(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return _is_typed(schema["items"])
    return "$ref" in schema or schema.get("type") in ("string", "integer")


def test_every_field_of_every_reply_has_a_type():
    schemas = document()["components"]["schemas"]
    untyped = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, detail in schema.get("properties", {}).items()
        if not {"type", "$ref", "anyOf", "allOf"} & detail.keys() and field != "profile"
    ]
    assert untyped == []
    assert all(f"#/components/schemas/{name}" for name in schemas)


def test_operation_ids_are_unique():
    ids = [param.values[2]["operationId"] for param in operations()]
    assert len(ids) == len(set(ids))


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "operation"), operations())
def test_without_a_key_nothing_is_told(method, path, operation):
    problem = problem_of(Api(None).send(method, path), 401, "unauthenticated")
    assert "X-API-Key" in problem["detail"]
    assert problem_of(Api("qk_wrong").send(method, path), 401) == problem
    assert operation["security"] == [{"XApiKey": []}]


@pytest.mark.parametrize(("method", "path", "operation"), operations())
def test_a_powerless_user_is_told_which_permission_is_missing(api_of, method, path, operation):
    problem = problem_of(api_of().send(method, path), 403, "forbidden")
    assert problem["permission"] in problem["detail"]


@pytest.mark.parametrize(("method", "path", "operation"), operations())
def test_the_permission_that_was_missing_is_enough(api_of, method, path, operation):
    missing = problem_of(api_of().send(method, path), 403)["permission"]
    reply = api_of(missing, name="other").send(method, path, {} if operation.get("requestBody") else None)
    assert reply.status_code in (200, 202, 204, 404, 422), reply.content
    assert str(reply.status_code) in operation["responses"]


@pytest.mark.parametrize(("method", "path", "operation"), [one for one in operations() if SOME_ID in one.values[1]])
def test_unknown_ids_are_404_and_malformed_ones_422(api, method, path, operation):
    body = {"query": "x"} if path.endswith("/search") else {} if operation.get("requestBody") else None
    assert SOME_ID in problem_of(api.send(method, path, body), 404, "not_found")["detail"]
    for malformed in ("nonsense", "1", "0190-", "%20"):
        problem = problem_of(api.send(method, path.replace(SOME_ID, malformed), body), 422, "malformed_id")
        assert problem["detail"].startswith(("job_id is not an id", "project_id is not an id"))


@pytest.mark.parametrize(("method", "path", "operation"), operations())
def test_other_methods_are_405_and_slashes_are_no_redirect(api, method, path, operation):
    reply = api.send("PATCH", path)
    assert method in reply.headers["Allow"]
    problem_of(reply, 405, "method_not_allowed")
    for sent in METHODS:
        problem_of(api.send(sent.upper(), f"{path}/"), 404, "no_such_path")


def test_there_is_no_page_of_documentation():
    assert Client().get(f"{PREFIX}/docs").status_code == 404
