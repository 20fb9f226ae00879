"""Tools that start jobs, watch them, stop them and remove what they made."""

import asyncio
from typing import Annotated, Any, Literal

from pydantic import Field

from jobs.mcp.client import QuarryClient, segment
from jobs.mcp.tool_types import Answer, JobId, Offset, ProjectId, Rows, SourceGroup, Why, success
from jobs.queries.waiting import pauses
from jobs.states import FINISHED_JOB, JobStatus

MAX_WAIT_SECONDS = 50  #: below the minute after which many MCP clients give up
REMOVAL_WAIT_SECONDS = 20
LONGEST_PAUSE_SECONDS = 2.0  # each look is a request
SHOWN_URLS = 20

StartUrl = Annotated[str, Field(description="Where to start, such as https://example.org/docs/.")]
MaxDepth = Annotated[int | None, Field(ge=1, le=10, description="How many links away from the start; left out: 10.")]
PageLimit = Annotated[int | None, Field(ge=1, description="How many pages at most; left out: 10,000.")]
PathPatterns = Annotated[
    list[str] | None,
    Field(description="Paths such as /docs/* (the whole path), or regular expressions such as ^/docs/[a-c]."),
]
Subdomains = Annotated[bool | None, Field(description="True: follow links to subdomains, too.")]
BackwardLinks = Annotated[bool | None, Field(description="False: stay below the start URL's folder.")]
IgnoreQuery = Annotated[bool | None, Field(description="True: URLs that differ only after the ? are one page.")]
Languages = Annotated[list[str] | None, Field(description="Keep only pages in these languages, such as en or de.")]
AutoExtract = Annotated[
    bool | None, Field(description="False: only fetch; left out: extract the project's fields afterwards.")
]


class JobTools:
    """The tools about jobs; their docstrings are what a model reads."""

    def __init__(self, client: QuarryClient) -> None:
        self._client = client

    async def crawl_website(
        self,
        url: StartUrl,
        project_id: ProjectId,
        company: SourceGroup = None,
        max_depth: MaxDepth = None,
        limit: PageLimit = None,
        include_paths: PathPatterns = None,
        exclude_paths: PathPatterns = None,
        allow_subdomains: Subdomains = None,
        allow_backward_links: BackwardLinks = None,
        ignore_query_parameters: IgnoreQuery = None,
        allowed_languages: Languages = None,
        auto_extract: AutoExtract = None,
    ) -> Answer:
        """Start to crawl a website into a project and return the job_id at once.

        Follow the job with get_job_status and wait_seconds. When a crawl is completed, its extraction is a job of
        its own, which list_jobs with type extract shows.
        """
        body = {
            "url": url,
            "project_id": project_id,
            "company": company,
            "max_depth": max_depth,
            "limit": limit,
            "include_paths": include_paths,
            "exclude_paths": exclude_paths,
            "allow_subdomains": allow_subdomains,
            "allow_backward_links": allow_backward_links,
            "ignore_query_parameters": ignore_query_parameters,
            "allowed_languages": allowed_languages,
            "auto_extract": auto_extract,
        }
        return success(await self._client.create("/crawl", body))

    async def scrape_urls(
        self,
        urls: Annotated[list[str], Field(min_length=1, max_length=10_000, description="The pages to fetch.")],
        project_id: ProjectId,
        company: SourceGroup = None,
    ) -> Answer:
        """Start to fetch exactly these pages into a project, following no links, and return the job_id at once.

        Call extract_knowledge when the job is completed.
        """
        body = {"urls": urls, "project_id": project_id, "company": company}
        return success(await self._client.create("/scrape", body))

    async def get_job_status(
        self,
        job_id: JobId,
        wait_seconds: Annotated[
            int,
            Field(ge=0, le=MAX_WAIT_SECONDS, description="How long to wait for the job to finish; 0: answer at once."),
        ] = 0,
    ) -> Answer:
        """Return how a job stands: its status, its items by state and reason, its result, and is_finished.

        Statuses: queued, running, paused, cancelling, cancelled, completed, failed, deleting. completed may include
        failed items; reasons says why. Call again with wait_seconds while is_finished is false.
        """
        path = f"/jobs/{segment(job_id, name='job_id')}"
        job = await self._client.get(path)
        for pause in pauses(wait_seconds, longest_seconds=LONGEST_PAUSE_SECONDS):
            if job["status"] in FINISHED_JOB:
                break
            await asyncio.sleep(pause)
            job = await self._client.get(path)
        job["payload"] = _shortened(job["payload"])
        return success({"job_id": job["id"], **job, "is_finished": job["status"] in FINISHED_JOB})

    async def list_jobs(
        self,
        type: Annotated[Literal["crawl", "scrape", "extract"] | None, Field(description="Only this kind.")] = None,
        status: Annotated[JobStatus | None, Field(description="Only jobs with this status.")] = None,
        project_id: Annotated[str | None, Field(description="Only jobs of this project.")] = None,
        limit: Rows = 20,
        offset: Offset = 0,
    ) -> Answer:
        """List jobs, newest first; total counts all that match."""
        query = {"type": type, "status": status, "project_id": project_id, "limit": limit, "offset": offset}
        return success(await self._client.get("/jobs", **query))

    async def cancel_job(
        self,
        job_id: JobId,
        force: Annotated[
            bool, Field(description="True: do not wait for work in flight; for a job that stays cancelling.")
        ] = False,
        reason: Why = None,
    ) -> Answer:
        """Stop a job. What it has fetched or extracted already is kept; cleanup_job removes that.

        Repeating the call is harmless. A job that has finished is refused with its final status.
        """
        path = f"/jobs/{segment(job_id, name='job_id')}/cancel"
        return success(await self._client.post(path, force=force or None, reason=reason))

    async def cleanup_job(
        self,
        job_id: JobId,
        delete_job: Annotated[bool, Field(description="True: delete the job itself as well.")] = False,
        reason: Why = None,
    ) -> Answer:
        """Delete for good what a finished job made: its sources, extractions and vectors; return how many.

        Sources that another job holds as well are kept and counted. An active job is refused: cancel it first.
        message says whether it is finished; repeating the call is harmless and shows how far it is.
        """
        path = f"/jobs/{segment(job_id, name='job_id')}/cleanup"
        body = {"delete_job": delete_job, "reason": reason}
        return success(await self._client.post(path, body, wait_seconds=REMOVAL_WAIT_SECONDS))

    async def delete_job(
        self,
        job_id: JobId,
        cleanup: Annotated[
            bool,
            Field(
                description="True: cancel it if it is active and delete what it made; false: the project keeps that."
            ),
        ] = False,
        reason: Why = None,
    ) -> Answer:
        """Delete a job for good. deleted false in the answer: it is under way, so ask again in a moment."""
        path = f"/jobs/{segment(job_id, name='job_id')}"
        query = {"cleanup": cleanup, "reason": reason}
        return success(await self._client.delete(path, wait_seconds=REMOVAL_WAIT_SECONDS, **query))


def _shortened(payload: dict[str, Any]) -> dict[str, Any]:
    """Return what a job was asked for, without more URLs than a model wants to read."""
    urls = payload.get("urls") or []
    if len(urls) <= SHOWN_URLS:
        return payload
    return payload | {"urls": urls[:SHOWN_URLS], "urls_not_shown": len(urls) - SHOWN_URLS}
