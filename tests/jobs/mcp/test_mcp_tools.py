"""The tools as the official client sees them: what each sends, what it answers, and that none ever raises."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client

from jobs.mcp import tools_jobs
from jobs.mcp.client import Connection, QuarryClient
from jobs.mcp.replies import APIError
from jobs.mcp.server import server_build
from tests.helpers.rest_server import Answer, RestServer, problem, rest_server

JOB = "0195d1f0-0000-7000-8000-000000000001"
PROJECT = "0195d1f0-0000-7000-8000-000000000002"
ADDRESS = "https://example.org/"

#: Tool, arguments → method, path, query and body of the one request it makes.
REQUESTS: list[tuple[str, dict[str, Any], str, str, dict[str, list[str]], Any]] = [
    (
        "crawl_website",
        {"url": ADDRESS, "project_id": PROJECT, "limit": 5, "include_paths": ["/docs/*"], "auto_extract": False},
        "POST",
        "/crawl",
        {},
        {"url": ADDRESS, "project_id": PROJECT, "limit": 5, "include_paths": ["/docs/*"], "auto_extract": False},
    ),
    (
        "scrape_urls",
        {"urls": [ADDRESS], "project_id": PROJECT, "company": "Acme"},
        "POST",
        "/scrape",
        {},
        {"urls": [ADDRESS], "project_id": PROJECT, "company": "Acme"},
    ),
    (
        "list_jobs",
        {"type": "crawl", "status": "running", "limit": 3},
        "GET",
        "/jobs",
        {"type": ["crawl"], "status": ["running"], "limit": ["3"], "offset": ["0"]},
        None,
    ),
    ("cancel_job", {"job_id": JOB}, "POST", f"/jobs/{JOB}/cancel", {}, {}),
    ("cancel_job", {"job_id": JOB, "force": True}, "POST", f"/jobs/{JOB}/cancel", {"force": ["true"]}, {}),
    ("cleanup_job", {"job_id": JOB}, "POST", f"/jobs/{JOB}/cleanup", {}, {"delete_job": False}),
    ("cleanup_job", {"job_id": JOB, "delete_job": True}, "POST", f"/jobs/{JOB}/cleanup", {}, {"delete_job": True}),
    ("delete_job", {"job_id": JOB}, "DELETE", f"/jobs/{JOB}", {"cleanup": ["false"]}, None),
    ("delete_job", {"job_id": JOB, "cleanup": True}, "DELETE", f"/jobs/{JOB}", {"cleanup": ["true"]}, None),
    ("get_project", {"project_id": PROJECT}, "GET", f"/projects/{PROJECT}", {}, None),
    ("create_project", {"name": "Stones"}, "POST", "/projects", {}, {"name": "Stones"}),
    (
        "create_project",
        {"name": "Stones", "template": "products", "entity_types": [{"name": "stone"}]},
        "POST",
        "/projects/from-template",
        {},
        {"name": "Stones", "template": "products", "customizations": {"entity_types": [{"name": "stone"}]}},
    ),
    (
        "create_project",
        {"name": "Stones", "template": "docs"},
        "POST",
        "/projects/from-template",
        {},
        {"name": "Stones", "template": "docs"},
    ),
    ("get_template_details", {"name": "docs"}, "GET", "/projects/templates/docs", {}, None),
    ("extract_knowledge", {"project_id": PROJECT}, "POST", f"/projects/{PROJECT}/extract", {}, {}),
    (
        "extract_knowledge",
        {"project_id": PROJECT, "source_groups": ["Acme"], "force": True},
        "POST",
        f"/projects/{PROJECT}/extract",
        {},
        {"source_groups": ["Acme"], "force": True},
    ),
    (
        "list_extractions",
        {"project_id": PROJECT, "extraction_type": "product", "min_confidence": 0.5},
        "GET",
        f"/projects/{PROJECT}/extractions",
        {"extraction_type": ["product"], "min_confidence": ["0.5"], "limit": ["20"], "offset": ["0"]},
        None,
    ),
    (
        "search_knowledge",
        {"project_id": PROJECT, "query": "price of granite", "kinds": ["passage"], "filters": {"a": 1}},
        "POST",
        f"/projects/{PROJECT}/search",
        {},
        {"query": "price of granite", "limit": 10, "kinds": ["passage"], "filters": {"a": 1}},
    ),
    (
        "list_sources",
        {"project_id": PROJECT, "status": "ready"},
        "GET",
        f"/projects/{PROJECT}/sources",
        {"status": ["ready"], "limit": ["50"], "offset": ["0"]},
        None,
    ),
    ("get_source_summary", {"project_id": PROJECT}, "GET", f"/projects/{PROJECT}/sources/summary", {}, None),
]
#: One good call of every tool.
CALLS: dict[str, dict[str, Any]] = {
    **{tool: arguments for tool, arguments, *_ in REQUESTS},
    "get_job_status": {"job_id": JOB, "wait_seconds": 1},
    "list_projects": {},
    "list_templates": {},
}


@pytest.fixture
def rest() -> Iterator[RestServer]:
    with rest_server() as running:
        yield running


async def answers(rest: RestServer, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the tools answer the official client, one after the other."""
    locate = lambda: Connection(rest.url, "qk_secret")  # noqa: E731
    async with QuarryClient(locate, retry_waits_seconds=()) as client, Client(server_build(client)) as agent:
        found = []
        for tool, arguments in calls:
            result = await agent.call_tool(tool, arguments)
            assert not result.is_error
            assert json.loads(result.content[0].text) == result.structured_content
            found.append(result.structured_content)
        return found


def answer(rest: RestServer, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return what one tool answers."""
    return asyncio.run(answers(rest, (tool, arguments)))[0]


def job(status: str, **fields: Any) -> Answer:
    """Return the API's reply about a job."""
    return Answer({"id": JOB, "type": "crawl", "status": status, "payload": {}, "result": None} | fields)


@pytest.mark.parametrize(("tool", "arguments", "method", "path", "query", "body"), REQUESTS)
def test_a_tool_makes_its_one_request(
    rest: RestServer,
    tool: str,
    arguments: dict[str, Any],
    method: str,
    path: str,
    query: dict[str, list[str]],
    body: Any,
) -> None:
    rest.answer = Answer({"told": "by the server", "warnings": []})
    assert answer(rest, tool, **arguments) == {"success": True, "told": "by the server", "warnings": []}
    [seen] = rest.seen
    assert (seen.method, seen.path, seen.query, seen.body) == (method, path, query, body)


def test_long_removals_may_wait_in_the_server(rest: RestServer) -> None:
    answer(rest, "cleanup_job", job_id=JOB)
    answer(rest, "delete_job", job_id=JOB)
    assert [seen.headers["prefer"] for seen in rest.seen] == ["wait=20", "wait=20"]


def test_projects_and_templates_are_listed_in_short(rest: RestServer) -> None:
    schema = {"name": "s", "field_groups": [{"name": "stone", "fields": [{"name": "weight"}]}]}
    project = {"id": PROJECT, "name": "Stones", "description": "", "is_active": True, "schema_version": 2}
    rest.answer = Answer([project | {"created_at": "2026-01-01T00:00:00Z", "extraction_schema": schema}])
    found = answer(rest, "list_projects", include_inactive=True)
    assert found["projects"] == [project | {"created_at": "2026-01-01T00:00:00Z", "field_groups": ["stone"]}]
    assert (found["success"], found["count"]) == (True, 1)
    assert rest.last.query == {"include_inactive": ["true"]}
    rest.answer = Answer({"templates": [{"name": "docs", "description": "d", "entity_types": []} | schema], "count": 1})
    found = answer(rest, "list_templates")
    assert found["templates"] == [{"name": "s", "description": "d", "field_groups": ["stone"]}]
    assert rest.last.query == {"details": ["true"]}


# Waiting for a job


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_waiting_ends_with_the_job(rest: RestServer, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    monkeypatch.setattr(tools_jobs, "LONGEST_PAUSE_SECONDS", 0.01)
    rest.answers = [job("running"), job("running")]
    rest.answer = job(status, result={"sources": 3})
    found = answer(rest, "get_job_status", job_id=JOB, wait_seconds=30)
    assert (found["job_id"], found["status"], found["is_finished"]) == (JOB, status, True)
    assert found["result"] == {"sources": 3}
    assert len(rest.seen) == 3


def test_waiting_ends_with_its_time(rest: RestServer) -> None:
    rest.answer = job("running")
    began = time.monotonic()
    found = answer(rest, "get_job_status", job_id=JOB, wait_seconds=1)
    assert (found["success"], found["status"], found["is_finished"]) == (True, "running", False)
    assert time.monotonic() - began >= 1.0
    assert len(rest.seen) >= 2


def test_without_waiting_the_answer_comes_at_once(rest: RestServer) -> None:
    rest.answer = job("queued", payload={"urls": [f"{ADDRESS}{number}" for number in range(500)], "a": 1})
    found = answer(rest, "get_job_status", job_id=JOB)
    assert not found["is_finished"]
    assert len(rest.seen) == 1
    assert len(found["payload"]["urls"]) == 20
    assert (found["payload"]["urls_not_shown"], found["payload"]["a"]) == (480, 1)


def test_a_refusal_ends_the_waiting(rest: RestServer) -> None:
    rest.answers = [job("deleting")]
    rest.answer = problem(404, "not_found", "There is no such job.")
    found = answer(rest, "get_job_status", job_id=JOB, wait_seconds=30)
    assert found == {"success": False, "error": "There is no such job.", "code": "not_found", "status": 404}


# Failures are answers


@pytest.mark.parametrize("tool", sorted(CALLS))
def test_every_tool_passes_the_servers_words_on(rest: RestServer, tool: str) -> None:
    detail = "The job is running; cancel it or let it finish, then it can be cleaned up."
    rest.answer = problem(409, "job_active", detail, job_status="running")
    found = answer(rest, tool, **CALLS[tool])
    assert found == {"success": False, "error": detail, "code": "job_active", "status": 409}


@pytest.mark.parametrize("tool", sorted(CALLS))
def test_every_tool_answers_when_nobody_does(rest: RestServer, tool: str) -> None:
    rest.answer = Answer(hangs_up=True)
    found = answer(rest, tool, **CALLS[tool])
    assert (found["success"], found["code"], found["status"]) == (False, "connection_broken", None)


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("crawl_website", {"url": ADDRESS}, "project_id is missing"),
        ("crawl_website", {"url": ADDRESS, "project_id": PROJECT, "max_depth": 11}, "max_depth: "),
        ("crawl_website", {"url": ADDRESS, "project_id": PROJECT, "depth": 2}, "does not take depth; it takes url"),
        ("list_jobs", {"status": "resting"}, "'queued', 'running'"),
        ("get_job_status", {"job_id": JOB, "wait_seconds": 51}, "wait_seconds: "),
        ("list_templates", {"name": "docs"}, "it takes nothing"),
        ("cancel_job", {"job_id": ""}, "job_id is empty"),
        ("cancel_job", {"job_id": ".."}, "job_id is empty"),
    ],
)
def test_wrong_arguments_are_told_and_nothing_is_sent(
    rest: RestServer, tool: str, arguments: dict[str, Any], words: str
) -> None:
    found = answer(rest, tool, **arguments)
    assert (found["success"], found["status"]) == (False, 422)
    assert found["code"] in {"invalid_arguments", "invalid"}
    assert words in found["error"]
    assert rest.seen == []


def test_an_unknown_tool_names_the_others(rest: RestServer) -> None:
    found = answer(rest, "drop_tables")
    assert (found["success"], found["code"], found["status"]) == (False, "unknown_tool", 404)
    assert "crawl_website" in found["error"]


def test_what_nobody_foresaw_is_logged_and_not_told(rest: RestServer, caplog: pytest.LogCaptureFixture) -> None:
    rest.answer = Answer({"no": "status"})
    with caplog.at_level(logging.ERROR):
        found = answer(rest, "get_job_status", job_id=JOB)
    assert (found["success"], found["code"], found["status"]) == (False, "internal", 500)
    assert "KeyError" not in found["error"]
    [record] = [record for record in caplog.records if record.message == "tool_failed"]
    assert isinstance(record.exc_info[1], KeyError)


def test_a_missing_connection_is_an_answer() -> None:
    def locate() -> Connection:
        raise APIError("There is no key; set QUARRY_API_KEY.", None, "no_api_key")

    async def main() -> dict[str, Any]:
        async with QuarryClient(locate) as client, Client(server_build(client)) as agent:
            return (await agent.call_tool("list_projects", {})).structured_content

    found = asyncio.run(main())
    assert found == {
        "success": False,
        "error": "There is no key; set QUARRY_API_KEY.",
        "code": "no_api_key",
        "status": None,
    }


# What a model reads


@pytest.fixture(scope="module")
def listed() -> list[Any]:
    async def main() -> list[Any]:
        async with (
            QuarryClient(lambda: Connection("http://127.0.0.1:9", "k")) as client,
            Client(server_build(client)) as agent,
        ):
            assert "is_finished" in (agent.instructions or "")
            return (await agent.list_tools()).tools

    return asyncio.run(main())


def test_every_tool_and_parameter_is_described(listed: list[Any]) -> None:
    assert {tool.name for tool in listed} == set(CALLS)
    for tool in listed:
        assert len(tool.description) > 30, tool.name
        assert tool.input_schema["additionalProperties"] is False
        for name, parameter in tool.input_schema["properties"].items():
            assert parameter.get("description"), f"{tool.name}: {name}"


def test_clients_are_told_which_tools_are_dangerous(listed: list[Any]) -> None:
    hints = {tool.name: tool.annotations for tool in listed}
    assert {name for name, hint in hints.items() if hint.destructive_hint} == {"cleanup_job", "delete_job"}
    reading = {name for name, hint in hints.items() if hint.read_only_hint}
    assert reading == {name for name in CALLS if name.startswith(("get_", "list_", "search_"))}
