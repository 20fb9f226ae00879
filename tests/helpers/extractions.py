"""Stored pages and extractions of them, run to their end by real slices."""

import json
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from crawling.models import Source
from crawling.sources import store
from crawling.web.fetch import Fetched
from crawling.work.parse_page import reply_read
from extraction.models import Extraction
from extraction.work.submission import extract_submit
from jobs.ledger.moves import job_lock
from jobs.models import Job, Project, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import Claim, JobRef
from jobs.states import JobStatus
from tests.helpers.crawls import drive, html
from tests.helpers.factories import status_fields

PRICE = {"name": "price", "field_type": "money", "description": "Price.", "schema_org": ["Product.offers.price"]}
SCHEMA: dict[str, Any] = {
    "name": "shop",
    "field_groups": [
        {
            "name": "product",
            "description": "The product.",
            "fields": [
                {"name": "name", "field_type": "text", "description": "Name.", "schema_org": ["Product.name"]},
                {"name": "colour", "field_type": "text", "description": "Colour.", "selector": ".colour"},
                {
                    "name": "price",
                    "field_type": "money",
                    "description": "Price.",
                    "schema_org": ["Product.offers.price"],
                },
            ],
        },
        {
            "name": "page",
            "description": "The page.",
            "fields": [{"name": "heading", "field_type": "text", "description": "Heading.", "selector": "h1"}],
        },
    ],
}


def fetching_job(project: Project) -> JobRef:
    """Return a running crawl without items."""
    job = Job.objects.create(project=project, kind="crawl", payload={"source_group": "shop"})
    Job.objects.filter(pk=job.pk).update(**status_fields(JobStatus.RUNNING))
    return JobRef(job.pk, project.pk, "crawl", job.payload)


def page_store(job: JobRef, path: str, body: str | bytes, *, content_type: str = "text/html; charset=utf-8") -> UUID:
    """Store a page as the crawl would, and return its source's id."""
    data = body.encode() if isinstance(body, str) else body
    headers = {"content-type": content_type}
    bare = content_type.partition(";")[0]
    reply = Fetched(url=f"http://shop.test{path}", status=200, headers=headers, body=data, content_type=bare)
    read = reply_read(reply, source_group="shop", follow=None)
    claim = Claim(1, job.id, reply.url, uuid4(), 0, 0, 0, {})
    with transaction.atomic():
        assert job_lock(job.id)
        store.pages_store(job, [kinds.done(claim, write=read.write)])
    return Source.objects.values_list("pk", flat=True).get(project_id=job.project_id, url=reply.url)


def product(name: str, *, colour: str = "") -> str:
    """Return a page that states a product's name in JSON-LD and its colour in the text."""
    stated = json.dumps({"@context": "https://schema.org", "@type": "Product", "name": name})
    shown = f'<span class="colour">{colour}</span>' if colour else ""
    head = f'<script type="application/ld+json">{stated}</script>'
    return html(name, text=f"The {name} is for sale. {shown}", head=head)


def extract(project: Project, **options: Any) -> Job:
    """Extract and return the finished job."""
    return drive(extract_submit(project_id=project.pk, **options))


def found(source_id: UUID) -> dict[str, dict[str, Any]]:
    """Return field group → data of the source's extractions."""
    return dict(Extraction.objects.filter(source_id=source_id).values_list("field_group", "data"))


def states(job: Job) -> dict[str, str]:
    """Return source id → how its item stands: its state, and its reason or outcome behind a colon."""
    rows = WorkItem.objects.filter(job=job).values_list("key", "state", "reason", "outcome")
    return {key: ":".join(filter(None, (state, reason or outcome))) for key, state, reason, outcome in rows}
