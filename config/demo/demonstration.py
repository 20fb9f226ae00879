"""The demonstration: a sample site is crawled, extracted, indexed and searched, in a folder of its own."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from config.demo.sample_site import SampleSite
from crawling.models import Source
from crawling.work.submission import CrawlOptions, crawl_submit
from extraction.models import Extraction, Passage
from extraction.schema.projects import ProjectDraft, project_create
from extraction.search.hybrid import search
from extraction.search.reply import results_json
from jobs.cli import follow

PROJECT = "Fernhill Instruments"
QUERY = "how often should the probe be calibrated"
SHOWN_VALUES = 14


@dataclass(frozen=True, slots=True)
class ShownValue:
    """One extracted value with the words of the page that prove it."""

    path: str
    group: str
    field: str
    value: str
    quote: str
    method: str


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """What the demonstration made, as numbers and as rows to show."""

    summaries: list[dict[str, Any]]
    sources: int
    extractions: int
    passages: int
    values: list[ShownValue]
    found: dict[str, Any]
    seconds: float


def demonstrate(*, quiet: bool) -> Demonstrated:
    """Crawl the sample site, extract and search; the workers run already. quiet: show no progress."""
    began = time.monotonic()
    with SampleSite() as site:
        project_id = project_create(ProjectDraft(name=PROJECT, description="The sample site of the demonstration."))
        job_id = crawl_submit(
            project_id=project_id, url=f"{site.url}/", options=CrawlOptions(source_group="fernhill"), actor="demo"
        )
        summaries = follow.job_follow(job_id, quiet=quiet)
        found = results_json(search(project_id=project_id, query=QUERY, limit=3))
        values = values_shown(project_id, site.url)
    return Demonstrated(
        summaries=summaries,
        sources=Source.objects.filter(project_id=project_id).count(),
        extractions=Extraction.objects.filter(project_id=project_id).count(),
        passages=Passage.objects.filter(project_id=project_id).count(),
        values=values,
        found=found,
        seconds=time.monotonic() - began,
    )


def values_shown(project_id: UUID, base: str) -> list[ShownValue]:
    """Return some extracted values of products, people and articles, each with its quote."""
    wanted = (("product", ("name", "price", "availability", "sku")), ("person", ("name", "job_title")))
    shown: list[ShownValue] = []
    for group, fields in wanted:
        rows = Extraction.objects.filter(project_id=project_id, field_group=group)
        rows = rows.order_by("source__url", "entity_index")
        for data, evidence, url in rows.values_list("data", "evidence", "source__url"):
            shown += [
                ShownValue(
                    path=url.removeprefix(base),
                    group=group,
                    field=field,
                    value=value_text(data[field]),
                    quote=str(evidence[field].get("quote", "")),
                    method=str(evidence[field].get("method", "")),
                )
                for field in fields
                if field in data and field in evidence
            ]
    return shown[:SHOWN_VALUES]


def value_text(value: Any) -> str:
    """Return a value as people write it."""
    if isinstance(value, dict) and "amount" in value:
        return f"{value['amount']} {value.get('currency') or ''}".strip()
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return str(value)
