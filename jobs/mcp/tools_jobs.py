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
LONGEST_PAUSE_SECONDS = 2.0  # between two requests for the job's status
SHOWN_URLS = 20

StartUrl = Annotated[str, Field(description="Where to start, such as https://example.org/docs/.")]
MaxDepth = Annotated[
    int | None, Field(ge=1, le=10, description="How many links away from the start at most; default: 10.")
]
PageLimit = Annotated[int | None, Field(ge=1, description="How many pages at most; default: 10,000.")]
PathPatterns = Annotated[
    list[str] | None,
    Field(description="Paths such as /docs/* (the whole path), or regular expressions such as ^/docs/[a-c]."),
]
Subdomains = Annotated[bool | None, Field(description="True: also follow links to subdomains.")]
BackwardLinks = Annotated[bool | None, Field(description="False: stay below the start URL's folder.")]
IgnoreQuery = Annotated[bool | None, Field(description="True: treat URLs that differ only after the ? as one page.")]
Languages = Annotated[list[str] | None, Field(description="Keep only pages in these languages, such as en or de.")]
AutoExtract = Annotated[
    bool | None, Field(description="False: only fetch the pages; default: extract the project's fields afterwards.")
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
        """Start crawling a website into a project and return the job_id at once.

        Follow the job with get_job_status and wait_seconds. When a crawl is completed, the extraction follows as a
        separate job, which list_jobs with type extract shows.
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
        """Start fetching exactly these pages into a project, without following links, and return the job_id at once.

        Call extract_knowledge when the job is completed.
        """
        body = {"urls": urls, "project_id": project_id, "company": company}
        return success(await self._client.create("/scrape", body))

    async def get_job_status(
        self,
        job_id: JobId,
        wait_seconds: Annotated[
            int,
            Field(ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for the job to finish; 0: answer at once."),
        ] = 0,
    ) -> Answer:
        """Return a job's status, its items by state and reason, its result, and is_finished.

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
        type: Annotated[
            Literal["crawl", "scrape", "extract"] | None, Field(description="Only jobs of this type.")
        ] = None,
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
            bool, Field(description="True: do not wait for work in flight; use it when a job stays cancelling.")
        ] = False,
        reason: Why = None,
    ) -> Answer:
        """Cancel a job. What it has already fetched or extracted is kept; cleanup_job removes that.

        Repeating the call is harmless. For a finished job the call fails, and error names its final status.
        """
        path = f"/jobs/{segment(job_id, name='job_id')}/cancel"
        return success(await self._client.post(path, force=force or None, reason=reason))

    async def cleanup_job(
        self,
        job_id: JobId,
        delete_job: Annotated[bool, Field(description="True: delete the job itself as well.")] = False,
        reason: Why = None,
    ) -> Answer:
        """Permanently delete what a finished job made: its sources, extractions and vectors; return how many.

        Sources that another job also uses are kept and counted. For an active job the call fails: cancel it first.
        message says whether the cleanup is finished; repeating the call is harmless and shows its progress.
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
                description="True: cancel the job if it is active and delete what it made; false: what it made stays."
            ),
        ] = False,
        reason: Why = None,
    ) -> Answer:
        """Permanently delete a job. While deleted is false in the answer, repeat the call after a moment."""
        path = f"/jobs/{segment(job_id, name='job_id')}"
        query = {"cleanup": cleanup, "reason": reason}
        return success(await self._client.delete(path, wait_seconds=REMOVAL_WAIT_SECONDS, **query))


def _shortened(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a job's payload with no more than SHOWN_URLS of its URLs."""
    urls = payload.get("urls") or []
    if len(urls) <= SHOWN_URLS:
        return payload
    return payload | {"urls": urls[:SHOWN_URLS], "urls_not_shown": len(urls) - SHOWN_URLS}
