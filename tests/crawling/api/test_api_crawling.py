"""Crawls and scrapes over REST."""

from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone

from crawling.api.schemas import MAX_FOCUS_TERMS, MAX_LANGUAGES
from crawling.models import Source, SourceHold
from jobs.ledger.items import items_add
from jobs.models import Job, Project, WorkItem
from jobs.registry.kinds import NewItem
from tests.helpers.api_client import problem_of

URL = "https://a.example/docs/"


@pytest.fixture
def crawl(api, project):
    """Return a function that starts a crawl and returns the reply."""

    def start(**fields):
        return api.post("/crawl", {"url": URL, "project_id": str(project.pk), **fields})

    return start


def test_a_crawl_is_accepted_with_all_its_fields(crawl, project):
    reply = crawl(company="Docs", max_depth=3, limit=50)
    body = reply.json()
    assert reply.status_code == 202
    job = Job.objects.get()
    assert body == {
        "job_id": str(job.pk),
        "status": "queued",
        "url": URL,
        "max_depth": 3,
        "limit": 50,
        "project_id": str(project.pk),
        "company": "Docs",
        "warnings": [],
    }
    assert (job.page_limit, job.created_by.username, job.events.get().actor) == (50, "chief", "chief")


def test_what_is_asked_for_is_what_the_job_does(crawl):
    crawl(
        include_paths=["/docs/*"],
        exclude_paths=["/docs/old/*"],
        allow_backward_links=False,
        allow_subdomains=True,
        ignore_query_parameters=True,
        auto_extract=False,
        allowed_languages=["EN", "de"],
    )
    payload = Job.objects.get().payload
    scope = payload["scope"]
    assert (scope["include_patterns"], scope["exclude_patterns"]) == (["/docs/*"], ["/docs/old/*"])
    assert (scope["mode"], scope["ignore_query_parameters"], scope["allow_backward_links"]) == (
        "subdomains",
        True,
        False,
    )
    assert (payload["auto_extract"], payload["allowed_languages"]) == (False, ["de", "en"])


@pytest.mark.parametrize("scope", ["host", "subdomains", "domain", "prefix"])
def test_a_scope_can_be_chosen(crawl, scope):
    fields = {"path_prefix": "/docs/v2/"} if scope == "prefix" else {}
    assert crawl(scope=scope, **fields).status_code == 202
    chosen = Job.objects.get().payload["scope"]
    assert (chosen["mode"], chosen["path_prefix"]) == (scope, fields.get("path_prefix", ""))


def test_the_older_fields_say_the_scope_as_before(crawl):
    assert [
        crawl(**fields).status_code for fields in ({}, {"allow_subdomains": False}, {"allow_backward_links": True})
    ] == [202] * 3
    assert {job.payload["scope"]["mode"] for job in Job.objects.all()} == {"host"}
    assert {job.payload["scope"]["allow_backward_links"] for job in Job.objects.all()} == {True}


def test_every_optional_field_may_be_null(crawl):
    names = (
        "company max_depth limit include_paths exclude_paths scope path_prefix allow_backward_links allow_subdomains"
    )
    names += " ignore_query_parameters auto_extract prefer_english_only allowed_languages smart_crawl_enabled"
    names += " relevance_threshold focus_terms profile language_detection_enabled include_merge_metadata"
    reply = crawl(**dict.fromkeys(names.split()))
    assert reply.status_code == 202
    assert (reply.json()["max_depth"], reply.json()["limit"], reply.json()["company"]) == (10, 10_000, "a.example")
    payload = Job.objects.get().payload
    assert (payload["auto_extract"], payload["scope"]["allow_backward_links"]) == (True, True)


def test_english_only(crawl):
    crawl(prefer_english_only=True)
    assert Job.objects.get().payload["allowed_languages"] == ["en"]


def test_what_has_no_effect_is_named(crawl):
    reply = crawl(smart_crawl_enabled=True, relevance_threshold=0.4, focus_terms=["api"], profile="fast")
    named = [warning.split()[0] for warning in reply.json()["warnings"]]
    assert named == ["profile", "smart_crawl_enabled", "relevance_threshold", "focus_terms"]
    assert crawl(smart_crawl_enabled=False, focus_terms=[]).json()["warnings"] == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"url": "nonsense"}, "Give a full address"),
        ({"url": "ftp://a.example/"}, "Give a full address"),
        ({"url": ""}, "Give a full address"),
        ({"url": None}, "url must be a valid string."),
        ({"url": "https://a.example/" + "x" * 3000}, "url must have at most 2048 characters."),
        ({"max_depth": 0}, "max_depth must be greater than or equal to 1."),
        ({"max_depth": 11}, "max_depth must be less than or equal to 10."),
        ({"limit": 0}, "limit must be greater than or equal to 1."),
        ({"limit": 10**9}, "limit must be less than or equal to 1000000."),
        ({"include_paths": "/docs"}, "include_paths must be a valid list."),
        ({"include_paths": ["["]}, "is not a valid regular expression"),
        ({"include_paths": ["/a"] * 101}, "include_paths must have at most 100 items"),
        ({"scope": "galaxy"}, "scope must be 'host', 'subdomains', 'domain' or 'prefix'."),
        ({"scope": "host", "allow_subdomains": True}, "Scope “host” stays on the host of the start URL"),
        ({"scope": "domain", "allow_subdomains": False}, "Scope “domain” includes subdomains"),
        ({"scope": "prefix", "allow_backward_links": True}, "Scope “prefix” stays in one folder"),
        ({"path_prefix": "/docs/"}, "path_prefix only applies to scope “prefix”"),
        ({"allowed_languages": ["en"] * (MAX_LANGUAGES + 1)}, "allowed_languages must have at most 100 items"),
        ({"focus_terms": ["api"] * (MAX_FOCUS_TERMS + 1)}, "focus_terms must have at most 100 items"),
        ({"allowed_languages": ["english!"]}, "allowed_languages[0] must match pattern"),
        ({"company": "x" * 201}, "company must have at most 200 characters."),
        ({"allow_subdomains": "perhaps"}, "allow_subdomains must be true or false."),
        ({"relevance_threshold": 2}, "relevance_threshold must be less than or equal to 1."),
        ({"project_id": "nonsense"}, "project_id is not an id"),
        ({"depth": 3}, "depth is not a known field; remove it."),
    ],
)
def test_bad_input_is_told_in_one_sentence(crawl, fields, told):
    problem = problem_of(crawl(**fields), 422)
    assert told in problem["detail"]
    assert not Job.objects.exists()


def test_the_project_must_exist_and_be_active(crawl, project):
    problem_of(crawl(project_id=str(UUID(int=5))), 404, "not_found")
    Project.objects.update(is_active=False)
    problem_of(crawl(), 404, "not_found")


def test_how_a_crawl_stands(api, crawl):
    job_id = crawl(limit=4).json()["job_id"]
    with transaction.atomic():
        new = [NewItem(f"https://a.example/{number}", "host:a.example", rank=1) for number in range(8)]
        items_add(UUID(job_id), new)
    _settle("https://a.example/0", "done")
    _settle("https://a.example/1", "done", outcome="redirected")
    _settle("https://a.example/2", "failed", reason="timeout")
    _settle("https://a.example/3", "skipped", reason="irrelevant")
    _settle("https://a.example/4", "skipped", reason="robots")
    source = Source.objects.create(project_id=Job.objects.get().project_id, url="https://a.example/0")
    SourceHold.objects.create(source=source, job_id=job_id)
    body = api.get(f"/crawl/{job_id}").json()
    assert body | {"created_at": "", "project_id": ""} == {
        "job_id": job_id,
        "status": "queued",
        "url": URL,
        "pages_total": 5,  # the limit of 4, and the failed one
        "pages_completed": 1,
        "sources_created": 1,
        "error": None,
        "created_at": "",
        "completed_at": None,
        "smart_crawl_enabled": False,
        "urls_discovered": 9,  # the seed and eight more; robots.txt is no page
        "urls_relevant": 8,
        "project_id": "",
        "company": "a.example",
    }
    assert body["created_at"].endswith("Z")
    cancelled = api.post(f"/jobs/{job_id}/cancel")
    assert (cancelled.status_code, cancelled.json()["sources_to_cleanup"]) == (200, 1)


def _settle(key, state, **fields):
    WorkItem.objects.filter(key=key).update(state=state, finished_at=timezone.now(), **fields)


def test_a_scrape(api, project):
    urls = ["https://a.example/1", "https://a.example/2", "https://a.example/1#part"]
    reply = api.post("/scrape", {"urls": urls, "project_id": str(project.pk), "company": None})
    assert reply.status_code == 202
    job_id = reply.json()["job_id"]
    assert reply.json() == {
        "job_id": job_id,
        "status": "queued",
        "url_count": 2,
        "project_id": str(project.pk),
        "company": "a.example",
        "warnings": [],
    }
    body = api.get(f"/scrape/{job_id}").json()
    assert (body["urls"], body["url_count"], body["error"]) == (urls[:2], 2, None)
    assert body["status"] == "queued" and body["company"] == "a.example"


def test_a_job_of_another_kind_is_404(api, crawl):
    job_id = crawl().json()["job_id"]
    problem = problem_of(api.get(f"/scrape/{job_id}"), 404, "not_found")
    assert f"/jobs/{job_id}" in problem["detail"]


@pytest.mark.parametrize(
    "urls", [[], ["nonsense"], [1], [None], "nonsense", None, ["https://a.example/"] * 10_001, [["x"]]]
)
def test_bad_lists_of_urls_are_422(api, project, urls):
    problem_of(api.post("/scrape", {"urls": urls, "project_id": str(project.pk)}), 422)
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_crawl_is_accepted_while_the_broker_is_down(crawl, monkeypatch):
    def fail(*args, **kwargs):
        raise ConnectionError("the broker is gone")

    monkeypatch.setattr("jobs.messages.wake._send_slices", fail)
    assert crawl().status_code == 202
    assert Job.objects.count() == 1
