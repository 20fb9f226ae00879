"""What the tools send is what the REST API declares: paths, query parameters and fields of bodies."""

import asyncio
import re
from typing import Any

import pytest
from mcp import Client

from config.web.api import api
from jobs.mcp.client import Connection, QuarryClient
from jobs.mcp.server import server_build
from tests.helpers.rest_server import Answer, Seen, rest_server

NO_ARGUMENT_OF_ITS_OWN = {"wait_seconds"}  #: get_job_status itself waits
#: A reply that every tool can read.
REPLY = {"id": "x", "status": "completed", "payload": {}, "templates": []}


def sample(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """Return a value that fits the JSON schema of an argument; never null."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        schema = next(choice for choice in schema["anyOf"] if choice.get("type") != "null")
        return sample(schema, definitions)
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "array":
            return [sample(schema["items"], definitions)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "object":
            return {"name": "x"}
    return "x"


@pytest.fixture(scope="module")
def requests() -> list[tuple[str, dict[str, Any], Seen]]:
    """The request of every tool, each called with all of its arguments; creating a project both ways."""

    async def main() -> list[tuple[str, dict[str, Any], Seen]]:
        sent = []
        locate = lambda: Connection(rest.url, "k")  # noqa: E731
        async with QuarryClient(locate, retry_waits_seconds=()) as client, Client(server_build(client)) as agent:
            for tool in (await agent.list_tools()).tools:
                properties = tool.input_schema["properties"]
                definitions = tool.input_schema.get("$defs", {})
                arguments = {name: sample(schema, definitions) for name, schema in properties.items()}
                rest.answer = Answer([] if tool.name == "list_projects" else REPLY)
                variants = [arguments]
                if "template" in arguments:
                    variants.append({name: value for name, value in arguments.items() if name != "template"})
                for variant in variants:
                    answered = (await agent.call_tool(tool.name, variant)).structured_content
                    assert answered["success"], (tool.name, answered)
                    sent.append((tool.name, variant, rest.last))
        return sent

    with rest_server() as rest:
        return asyncio.run(main())


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return api.get_openapi_schema(path_prefix="/api/v1")


def operation_of(document: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Return what the API declares for the request; a fixed path goes before one with parameters."""
    path = f"/api/v1{seen.path}"
    for declared in sorted(document["paths"], key=lambda name: name.count("{")):
        if (
            re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", declared), path)
            and seen.method.lower() in document["paths"][declared]
        ):
            return document["paths"][declared][seen.method.lower()]
    raise AssertionError(f"the API has no {seen.method} {path}")


def body_fields(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    """Return the fields that the operation's body may have."""
    if "requestBody" not in operation:
        return set()
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    choices = [schema, *schema.get("anyOf", [])]
    name = next(choice["$ref"].rpartition("/")[2] for choice in choices if "$ref" in choice)
    return set(document["components"]["schemas"][name]["properties"])


def test_the_api_declares_what_the_tools_send(
    document: dict[str, Any], requests: list[tuple[str, dict[str, Any], Seen]]
) -> None:
    assert len(requests) == 18, "17 tools, one of them both ways"
    for tool, _, seen in requests:
        operation = operation_of(document, seen)
        parameters = operation.get("parameters", [])
        assert set(seen.query) <= {told["name"] for told in parameters if told["in"] == "query"}, tool
        assert set(seen.body or {}) <= body_fields(document, operation), tool
        if "idempotency-key" in seen.headers:
            assert "idempotency-key" in {told["name"].lower() for told in parameters if told["in"] == "header"}, tool


def test_no_argument_is_lost(requests: list[tuple[str, dict[str, Any], Seen]]) -> None:
    for tool, arguments, seen in requests:
        in_path = {name for name in arguments if name.endswith("_id") or name == "name"}
        carried = set(seen.query) | set(seen.body or {}) | set((seen.body or {}).get("customizations") or {})
        assert set(arguments) - carried - in_path - NO_ARGUMENT_OF_ITS_OWN == set(), tool
