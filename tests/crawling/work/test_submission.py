"""Starting crawls and scrapes: what is accepted, what is refused and with which sentence."""

from typing import Any
from uuid import uuid4

import pytest

from crawling.errors import BadScope
from crawling.web.scope import MAX_DEPTH, Scope
from crawling.work.submission import (
    MAX_GROUP_CHARACTERS,
    MAX_PAGES,
    MAX_SCRAPED_URLS,
    CrawlOptions,
    crawl_submit,
    scrape_submit,
)
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


ADDRESSES = ("http://h.test/docs/a", "http://h.test/blog/", "http://sub.h.test/", "http://other.test/")


@pytest.mark.parametrize(
    ("url", "options", "admitted"),
    [
        ("http://h.test/docs/", {}, "in in other_host other_host"),
        ("http://h.test/docs/", {"scope": "host"}, "in in other_host other_host"),
        ("http://h.test/docs/", {"scope": "subdomains"}, "in in in other_host"),
        ("http://h.test/docs/", {"allow_subdomains": True}, "in in in other_host"),
        ("http://sub.h.test/docs/", {"scope": "subdomains"}, "other_host other_host in other_host"),
        ("http://sub.h.test/docs/", {"scope": "domain"}, "in in in other_host"),
        ("http://sub.h.test/docs/", {"scope": "domain", "allow_subdomains": True}, "in in in other_host"),
        ("http://h.test/docs/", {"scope": "prefix"}, "in outside_prefix other_host other_host"),
        ("http://h.test/", {"scope": "prefix", "path_prefix": "/blog/"}, "outside_prefix in other_host other_host"),
        (
            "http://h.test/docs/",
            {"scope": "prefix", "allow_subdomains": False},
            "in outside_prefix other_host other_host",
        ),
        ("http://h.test/docs/", {"allow_backward_links": False}, "in outside_prefix other_host other_host"),
        (
            "http://h.test/docs/",
            {"scope": "prefix", "allow_backward_links": False},
            "in outside_prefix other_host other_host",
        ),
        (
            "http://h.test/docs/",
            {"allow_subdomains": True, "allow_backward_links": False},
            "in outside_prefix in other_host",
        ),
    ],
)
def test_each_scope_can_be_chosen(project: Project, url: str, options: dict[str, Any], admitted: str) -> None:
    scope = Scope.from_config(submitted(project, url, **options).payload["scope"])
    assert " ".join(scope.admit(address, 1) for address in ADDRESSES) == admitted


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scope": "galaxy"}, "The scope must be one of host, subdomains, domain, prefix, not “galaxy”."),
        ({"scope": "host", "allow_subdomains": True}, "Scope “host” stays on the host of the start URL"),
        ({"scope": "prefix", "allow_subdomains": True}, "Scope “prefix” stays on the host of the start URL"),
        ({"scope": "subdomains", "allow_subdomains": False}, "Scope “subdomains” includes subdomains"),
        ({"scope": "domain", "allow_subdomains": False}, "Scope “domain” includes subdomains"),
        ({"scope": "prefix", "allow_backward_links": True}, "Scope “prefix” stays in one folder"),
        ({"path_prefix": "/docs/"}, "path_prefix only applies to scope “prefix”"),
        ({"scope": "domain", "path_prefix": "/docs/"}, "path_prefix only applies to scope “prefix”"),
        ({"scope": "prefix", "path_prefix": "docs"}, "path_prefix must be a path that starts with “/”"),
        ({"scope": "prefix", "path_prefix": "/a\nb"}, "path_prefix is not a usable path"),
    ],
)
def test_a_scope_that_contradicts_itself_is_refused(project: Project, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadScope) as caught:
        submitted(project, **options)
    assert caught.value.detail.startswith(sentence)
    assert not Job.objects.exists()


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
        {"limit": MAX_PAGES + 1},
        {"max_depth": MAX_DEPTH + 1},
        {"include_paths": ("regex:(",)},
        {"source_group": "g" * (MAX_GROUP_CHARACTERS + 1)},
    ],
)
def test_impossible_options_are_refused(project: Project, options: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        submitted(project, **options)
    assert not Job.objects.exists()


def test_what_is_just_within_the_limits_is_accepted(project: Project) -> None:
    job = submitted(project, limit=MAX_PAGES, max_depth=MAX_DEPTH, source_group="g" * MAX_GROUP_CHARACTERS)
    assert (job.page_limit, job.payload["scope"]["max_depth"]) == (MAX_PAGES, MAX_DEPTH)


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
