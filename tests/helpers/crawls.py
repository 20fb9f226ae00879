"""Crawls and scrapes over a local server, run to their end by real slices, one lane after another."""

from typing import Any
from uuid import UUID

from crawling.models import Source
from crawling.work.submission import CrawlOptions, crawl_submit, scrape_submit
from jobs.models import Job, Lane, Project, WorkItem
from jobs.states import ItemState
from jobs.worker import runner

MAX_ROUNDS = 40


def html(title: str, *links: str, text: str = "", head: str = "", lang: str = "en") -> str:
    """Return a page that links to `links`; without `text` it says something only this page says."""
    anchors = "".join(f'<li><a href="{link}">to {link}</a></li>' for link in links)
    words = text or f"The {title} measures how much water a river carries."
    return (
        f'<html lang="{lang}"><head><title>{title}</title>{head}</head>'
        f"<body><h1>{title}</h1><p>{words}</p><ul>{anchors}</ul></body></html>"
    )


def crawl(project: Project, url: str, **options: Any) -> Job:
    """Start a crawl without sitemaps and without an extraction, unless told otherwise; run it to its end."""
    return drive(crawl_start(project, url, **options))


def crawl_start(project: Project, url: str, **options: Any) -> UUID:
    """Start such a crawl and return its id."""
    chosen = CrawlOptions(**({"use_sitemaps": False, "auto_extract": False} | options))
    return crawl_submit(project_id=project.pk, url=url, options=chosen)


def scrape(project: Project, *urls: str, **options: Any) -> Job:
    """Fetch exactly these URLs."""
    return drive(scrape_submit(project_id=project.pk, urls=urls, **options))


def drive(job_id: UUID) -> Job:
    """Run slices until the job has ended; between them all waiting times are over."""
    for _ in range(MAX_ROUNDS):
        job = Job.objects.get(pk=job_id)
        if job.is_finished:
            return job
        for lane_id in lanes_of(job_id):
            runner.slice_run(lane_id=lane_id)
        waits_end(job_id)
    raise AssertionError(f"the job never ended: {items(job)}")


def lanes_of(job_id: UUID) -> list[int]:
    """Return the lanes in which the job has pending items."""
    waiting = Lane.objects.filter(items__job_id=job_id, items__state=ItemState.PENDING.value)
    return list(waiting.order_by("key").values_list("pk", flat=True).distinct())


def waits_end(job_id: UUID) -> None:
    """Let every back-off and every Retry-After of the job be over."""
    WorkItem.objects.filter(job_id=job_id, state=ItemState.PENDING.value).update(not_before=None)


def items(job: Job) -> dict[str, str]:
    """Return path → state, with the outcome or reason behind a colon: `done:unchanged`, `skipped:robots`."""
    rows = WorkItem.objects.filter(job=job).values_list("key", "state", "reason", "outcome")
    return {_path(key): ":".join(filter(None, (state, reason or outcome))) for key, state, reason, outcome in rows}


def result(job: Job, path: str) -> dict[str, Any]:
    """Return what is kept of one item, for people to read."""
    rows = WorkItem.objects.filter(job=job).values_list("key", "result")
    return next(found for key, found in rows if _path(key) == path)


def sources(project: Project) -> dict[str, Source]:
    """Return path → source, of all hosts."""
    return {_path(source.url): source for source in Source.objects.filter(project=project)}


def _path(key: str) -> str:
    kind = "sitemap:" if key.startswith("sitemap:") else ""
    return kind + "/" + key.removeprefix("sitemap:").split("/", 3)[3]
