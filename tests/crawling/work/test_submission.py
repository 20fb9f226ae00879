"""Starting crawls and scrapes: what is accepted, what is refused and with which sentence."""

from typing import Any
from uuid import uuid4

import pytest

from crawling.web.scope import Scope
from crawling.work.submission import MAX_SCRAPED_URLS, CrawlOptions, crawl_submit, scrape_submit
from jobs.errors import Invalid, NotFound
from jobs.models import Job, Project, WorkItem

pytestmark = pytest.mark.django_db


def submitted(project: Project, url: str = "http://h.test/docs/", **options: Any) -> Job:
    job_id = crawl_submit(project_id=project.pk, url=url, options=CrawlOptions(**options), actor="eve")
    return Job.objects.get(pk=job_id)


def test_the_payload_says_everything_a_worker_needs(project: Project) -> None:
    job = submitted(
        project,
        "HTTP://H.test:80/docs/?b=2&a=1#top",
        max_depth=3,
        limit=50,
        include_paths=("/docs/*",),
        exclude_paths=("/docs/old/*",),
        allow_subdomains=True,
        ignore_query_parameters=True,
        allowed_languages=("en-US", "DE", "en_GB", ""),
    )
    scope = Scope.from_config(job.payload["scope"])
    assert scope.seeds == ("http://h.test/docs/",)
    assert (scope.max_depth, scope.mode.value) == (3, "subdomains")
    assert (scope.include_patterns, scope.exclude_patterns) == (("/docs/*",), ("/docs/old/*",))
    assert job.payload["allowed_languages"] == ["de", "en"]
    assert (job.page_limit, job.payload["limit"], job.payload["source_group"]) == (50, 50, "h.test")
    assert (job.kind, job.status, job.label) == ("crawl", "queued", "http://h.test/docs/?a=1&b=2")
    assert job.events.get().actor == "eve"


def test_a_prefix_keeps_to_the_folder(project: Project) -> None:
    scope = Scope.from_config(submitted(project, prefix=True).payload["scope"])
    assert scope.admit("http://h.test/docs/a", 1) == "in"
    assert scope.admit("http://h.test/blog/", 1) == "outside_prefix"


def test_no_limit_is_none(project: Project) -> None:
    assert submitted(project, limit=None).page_limit is None


@pytest.mark.parametrize(
    "url", ["", "docs", "ftp://h.test/", "http://", "http://user:pw@h.test/", "http://h.test:99999/"]
)
def test_what_is_no_address_is_refused_with_what_to_do(project: Project, url: str) -> None:
    with pytest.raises(Invalid) as caught:
        submitted(project, url)
    assert caught.value.code == "bad_url"
    assert "https://example.org/docs/" in caught.value.detail
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": 10**12},
        {"max_depth": 101},
        {"include_paths": ("regex:(",)},
        {"source_group": "g" * 201},
    ],
)
def test_impossible_options_are_refused(project: Project, options: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        submitted(project, **options)
    assert not Job.objects.exists()


def test_the_name_of_a_group_is_storable(project: Project) -> None:
    assert submitted(project, source_group=" A\x00cme ").payload["source_group"] == "Acme"


def test_unknown_and_inactive_projects_are_refused(project: Project) -> None:
    with pytest.raises(NotFound):
        crawl_submit(project_id=uuid4(), url="http://h.test/", options=CrawlOptions())
    Project.objects.update(is_active=False)
    with pytest.raises(NotFound):
        submitted(project)
    assert not Job.objects.exists()


def test_a_scrape_keeps_each_url_once_in_order(project: Project) -> None:
    urls = ["http://h.test/b", "http://h.test/a", "http://H.test/b#x"]
    job = Job.objects.get(pk=scrape_submit(project_id=project.pk, urls=urls, source_group="acme"))
    assert job.payload == {
        "urls": ["http://h.test/b", "http://h.test/a"], "source_group": "acme", "auto_extract": False,
    }  # fmt: skip
    assert job.label == "http://h.test/b and 1 more"
    assert WorkItem.objects.filter(job=job).count() == 2


@pytest.mark.parametrize("urls", [[], ["http://h.test/"] * (MAX_SCRAPED_URLS + 1), ["http://h.test/", "nonsense"]])
def test_impossible_lists_are_refused(project: Project, urls: list[str]) -> None:
    with pytest.raises(Invalid):
        scrape_submit(project_id=project.pk, urls=urls)
    assert not Job.objects.exists()
