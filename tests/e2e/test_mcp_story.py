"""An agent's day over stdio, with the official client: what it starts it can watch, stop and remove again, and every
refusal reaches it in the API's own words."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from config.demo.sample_site import SampleSite
from config.environment.env import CHECKOUT
from tests.helpers.installation import Installation, Up
from tests.helpers.sites import quarry_site
from tests.helpers.web_server import serve

PAGES, ANSWERS = 400, 40  #: a crawl gets so many, and cannot end before it is cancelled
NOWHERE = "0195d1f0-0000-7000-8000-000000000000"

Tool = Callable[..., Awaitable[dict[str, Any]]]
Story = Callable[[Tool], Awaitable[None]]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TextIOWrapper]:
    """Where the command's stderr goes."""
    with (tmp_path / "mcp.log").open("w+") as file:
        yield file


def agent(
    installation: Installation, log: TextIOWrapper, story: Callable[[Tool], Awaitable[None]], **changes: str
) -> None:
    """Run `manage.py mcp` as a client does, and the story with a function that calls its tools."""
    parameters = StdioServerParameters(
        command=sys.executable, args=[str(CHECKOUT / "manage.py"), "mcp"], env=installation.environment(changes)
    )

    async def main() -> None:
        async with Client(stdio_client(parameters, errlog=log)) as client:

            async def call(tool: str, **arguments: Any) -> dict[str, Any]:
                result = await client.call_tool(tool, arguments)
                assert not result.is_error
                return result.structured_content

            await story(call)

    asyncio.run(asyncio.wait_for(main(), 300))


def refused_by(up: Up, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what a tool has to answer: the API's refusal of the same request."""
    status, problem = up.ask(method, path, body)
    assert status >= 400
    return {"success": False, "error": problem["detail"], "code": problem["code"], "status": status}


async def finished(call: Tool, job_id: str) -> dict[str, Any]:
    """Return the job once it has finished."""
    for _ in range(10):
        job = await call("get_job_status", job_id=job_id, wait_seconds=20)
        if job["is_finished"]:
            return job
    raise AssertionError(f"the job is still {job['status']}")


def test_a_crawl_is_stopped_cleaned_up_and_deleted(installation: Installation, log: TextIOWrapper) -> None:
    up = installation.up_with_key()

    async def story(call: Tool) -> None:
        project = await call("create_project", name="Stones", template="articles")
        job_id = await started(call, project["id"])
        await cancelled_twice(call, job_id)
        await cleaned_up_twice(call, job_id)
        await deleted(call, job_id)

    async def started(call: Tool, project_id: str) -> str:
        crawl = await call("crawl_website", url=site.url("/"), project_id=project_id, company="Pit", auto_extract=False)
        assert (crawl["success"], crawl["company"]) == (True, "Pit")
        job_id: str = crawl["job_id"]
        await asyncio.to_thread(site.wait_until, lambda: len(site.requests) > ANSWERS, seconds=60)
        for tool, method, path in (
            ("cleanup_job", "POST", f"/jobs/{job_id}/cleanup"),
            ("delete_job", "DELETE", f"/jobs/{job_id}"),
        ):
            refusal = await call(tool, job_id=job_id)
            assert refusal == await asyncio.to_thread(refused_by, up, method, path)
            assert (refusal["status"], refusal["code"]) == (409, "job_active")
            assert "cancel it" in refusal["error"]
        return job_id

    async def cancelled_twice(call: Tool, job_id: str) -> None:
        first = await call("cancel_job", job_id=job_id)
        assert (first["success"], first["changed"]) == (True, True)
        assert first["skipped"] > 0
        job = await finished(call, job_id)
        assert job["status"] == "cancelled"
        assert job["counts"]["done"] > 0
        assert job["reasons"]["cancelled"] >= first["skipped"]
        second = await call("cancel_job", job_id=job_id)
        assert (second["success"], second["changed"], second["skipped"]) == (True, False, 0)
        assert second["sources_to_cleanup"] == installation.number("SELECT count(*) FROM crawling_source") > 0

    async def cleaned_up_twice(call: Tool, job_id: str) -> None:
        sources = installation.number("SELECT count(*) FROM crawling_source")
        first = await removed(call, "cleanup_job", job_id=job_id)
        assert (first["sources_deleted"], first["job_deleted"]) == (sources, False)
        assert installation.number("SELECT count(*) FROM crawling_source") == 0
        second = await call("cleanup_job", job_id=job_id)
        assert (second["success"], second["sources_deleted"], second["embeddings_deleted"]) == (True, 0, 0)
        assert (await call("get_job_status", job_id=job_id))["cleaned_at"]

    async def deleted(call: Tool, job_id: str) -> None:
        gone = await removed(call, "delete_job", job_id=job_id)
        assert gone["deleted"]
        assert installation.number("SELECT count(*) FROM jobs_job") == 0
        for tool, method, path in (
            ("get_job_status", "GET", f"/jobs/{job_id}"),
            ("cancel_job", "POST", f"/jobs/{job_id}/cancel"),
            ("cleanup_job", "POST", f"/jobs/{job_id}/cleanup"),
            ("delete_job", "DELETE", f"/jobs/{job_id}"),
        ):
            refusal = await call(tool, job_id=job_id)
            assert refusal == await asyncio.to_thread(refused_by, up, method, path)
            assert (refusal["status"], refusal["code"]) == (404, "not_found")
        assert (await call("list_jobs"))["total"] == 0

    async def removed(call: Tool, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call the tool until its answer says that it has finished."""
        for _ in range(10):
            answer = await call(tool, **arguments)
            assert answer["success"], answer
            if "under way" not in answer["message"]:
                return answer
        raise AssertionError(answer["message"])

    with serve(quarry_site(PAGES, delay_seconds=0.0, answers=ANSWERS)) as site:
        agent(installation, log, story)
    assert up.end() == 0


def test_what_was_crawled_is_found(installation: Installation, log: TextIOWrapper) -> None:
    up = installation.up_with_key()

    async def story(call: Tool) -> None:
        templates = {template["name"] for template in (await call("list_templates"))["templates"]}
        assert {"default", "products"} <= templates
        template = await call("get_template_details", name="products")
        project = await call("create_project", name="Fernhill", extraction_schema=schema_of(template))
        project_id = project["id"]
        assert [listed["id"] for listed in (await call("list_projects"))["projects"]] == [project_id]
        assert (await call("get_project", project_id=project_id))["extraction_schema"] == project["extraction_schema"]
        crawl = await call("crawl_website", url=f"{site.url}/", project_id=project_id, company="Fernhill")
        assert (await finished(call, crawl["job_id"]))["status"] == "completed"
        [extract] = (await call("list_jobs", type="extract", project_id=project_id))["jobs"]
        assert (await finished(call, extract["id"]))["status"] == "completed"
        await known(call, project_id)
        await more_work(call, project_id)
        await refusals(call, project_id)

    def schema_of(template: dict[str, Any]) -> dict[str, Any]:
        return {"name": template["name"], "field_groups": template["field_groups"]}

    async def known(call: Tool, project_id: str) -> None:
        summary = await call("get_source_summary", project_id=project_id)
        assert [group["source_group"] for group in summary["by_source_group"]] == ["Fernhill"]
        sources = await call("list_sources", project_id=project_id, source_group="Fernhill", limit=1)
        assert sources["total"] == summary["total_sources"] > 10
        extractions = await call("list_extractions", project_id=project_id, min_confidence=0.1)
        assert extractions["total"] > 0
        assert extractions["extractions"][0]["evidence"]
        found = await call(
            "search_knowledge", project_id=project_id, query="how often should the probe be calibrated", limit=3
        )
        assert len(found["results"]) == 3
        assert all(hit["source_uri"].startswith(site.url) for hit in found["results"])

    async def more_work(call: Tool, project_id: str) -> None:
        again = await call("extract_knowledge", project_id=project_id, source_groups=["Fernhill"], force=True)
        assert again["source_count"] > 10
        assert (await finished(call, again["job_id"]))["status"] == "completed"
        scrape = await call("scrape_urls", urls=[f"{site.url}/team"], project_id=project_id)
        assert scrape["url_count"] == 1
        assert (await finished(call, scrape["job_id"]))["status"] == "completed"
        late = await call("cancel_job", job_id=scrape["job_id"])
        path = f"/jobs/{scrape['job_id']}/cancel"
        assert late == await asyncio.to_thread(refused_by, up, "POST", path)
        assert (late["status"], late["code"]) == (409, "already_finished")

    async def refusals(call: Tool, project_id: str) -> None:
        asked: list[tuple[str, dict[str, Any], str, str, dict[str, Any] | None]] = [
            ("create_project", {"name": "Fernhill"}, "POST", "/projects", {"name": "Fernhill"}),
            ("get_project", {"project_id": NOWHERE}, "GET", f"/projects/{NOWHERE}", None),
            ("get_job_status", {"job_id": "no-id"}, "GET", "/jobs/no-id", None),
            ("get_template_details", {"name": "none"}, "GET", "/projects/templates/none", None),
            (
                "crawl_website",
                {"url": "gopher://x", "project_id": project_id},
                "POST",
                "/crawl",
                {"url": "gopher://x", "project_id": project_id},
            ),
        ]
        for tool, arguments, method, path, body in asked:
            refusal = await call(tool, **arguments)
            assert refusal == await asyncio.to_thread(refused_by, up, method, path, body)
            assert refusal["status"] in {404, 409, 422}

    with SampleSite(slow_seconds=0.1) as site:
        agent(installation, log, story)
    assert up.end() == 0


def test_the_command_needs_neither_database_nor_server(installation: Installation, log: TextIOWrapper) -> None:
    async def story(call: Tool) -> None:
        refusal = await call("list_projects")
        assert (refusal["success"], refusal["code"], refusal["status"]) == (False, "no_api_key", None)
        assert "manage.py up" in refusal["error"]

    agent(installation, log, story, DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    agent(installation, log, story)
    assert not (installation.path / "postgres" / "server.json").exists(), "the command started PostgreSQL"

    async def story_with_wrong_key(call: Tool) -> None:
        refusal = await call("list_projects")
        assert (refusal["code"], refusal["status"]) == ("unauthenticated", 401)
        assert "X-API-Key" in refusal["error"]

    up = installation.up()
    agent(installation, log, story_with_wrong_key, QUARRY_API_KEY="qk_wrong")
    assert up.end() == 0
