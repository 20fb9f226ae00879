"""REST: starting crawls and scrapes, and following them."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Header, Router, Status

from crawling.api.schemas import CrawlIn, CrawlOut, CrawlStarted, ScrapeIn, ScrapeOut, ScrapeStarted
from crawling.work.kind import Crawl, Scrape
from crawling.work.progress import crawl_progress
from crawling.work.submission import crawl_submit, scrape_submit
from jobs.api.access import XApiKey, actor_fields
from jobs.api.idempotent import CreateHeaders, created
from jobs.api.schemas import problems
from jobs.queries.listing import job_read
from jobs.states import JobStatus

router = Router(tags=["crawling"])


@router.post("/crawl", auth=XApiKey("jobs.submit_job"), response={202: CrawlStarted, **problems(400, 404, 409, 413)})
def start_crawl(
    request: HttpRequest, body: CrawlIn, headers: Header[CreateHeaders]
) -> Status[CrawlStarted] | HttpResponse:
    """Start a crawl: fetch a page, then the pages it links to, as far as the scope goes."""

    def submit() -> CrawlStarted:
        job_id = crawl_submit(project_id=body.project_id, url=body.url, options=body.options, **actor_fields(request))
        job = job_read(job_id)
        return CrawlStarted(
            job_id=job.pk,
            status=JobStatus(job.status),
            url=job.payload["url"],
            max_depth=job.payload["scope"]["max_depth"],
            limit=job.payload["limit"],
            project_id=job.project_id,
            company=job.payload["source_group"],
            warnings=body.warnings,
        )

    return created(request, headers, 202, submit)


@router.get("/crawl/{job_id}", auth=XApiKey("jobs.view_job"), response={200: CrawlOut, **problems(404)})
def get_crawl(request: HttpRequest, job_id: UUID) -> Status[CrawlOut]:
    """Return how far a crawl is."""
    job = job_read(job_id, kind=Crawl.name)
    progress = crawl_progress(job)
    crawl = CrawlOut(
        job_id=job.pk,
        status=JobStatus(job.status),
        url=job.payload["url"],
        pages_total=progress.pages_total,
        pages_completed=progress.pages_completed,
        sources_created=progress.sources,
        error=job.error,
        created_at=job.created_at,
        completed_at=job.completed_at,
        smart_crawl_enabled=False,
        urls_discovered=progress.urls_discovered,
        urls_relevant=progress.urls_relevant,
        project_id=job.project_id,
        company=job.payload["source_group"],
    )
    return Status(200, crawl)


@router.post("/scrape", auth=XApiKey("jobs.submit_job"), response={202: ScrapeStarted, **problems(400, 404, 409, 413)})
def start_scrape(
    request: HttpRequest, body: ScrapeIn, headers: Header[CreateHeaders]
) -> Status[ScrapeStarted] | HttpResponse:
    """Start a scrape: fetch exactly these URLs, without following links."""

    def submit() -> ScrapeStarted:
        group = (body.company or "").strip()
        job_id = scrape_submit(project_id=body.project_id, urls=body.urls, source_group=group, **actor_fields(request))
        job = job_read(job_id)
        return ScrapeStarted(
            job_id=job.pk,
            status=JobStatus(job.status),
            url_count=len(job.payload["urls"]),
            project_id=job.project_id,
            company=job.payload["source_group"],
            warnings=body.warnings,
        )

    return created(request, headers, 202, submit)


@router.get("/scrape/{job_id}", auth=XApiKey("jobs.view_job"), response={200: ScrapeOut, **problems(404)})
def get_scrape(request: HttpRequest, job_id: UUID) -> Status[ScrapeOut]:
    """Return how far a scrape is."""
    job = job_read(job_id, kind=Scrape.name)
    scrape = ScrapeOut(
        job_id=job.pk,
        status=JobStatus(job.status),
        company=job.payload["source_group"],
        url_count=len(job.payload["urls"]),
        urls=job.payload["urls"],
        created_at=job.created_at,
        completed_at=job.completed_at,
        error=job.error,
        project_id=job.project_id,
    )
    return Status(200, scrape)
