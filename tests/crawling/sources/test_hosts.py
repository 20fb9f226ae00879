"""What is remembered of a host, and for how long."""

from datetime import timedelta

import pytest
from django.utils import timezone

from crawling.models import Host
from crawling.sources.hosts import ROBOTS_LIFE, host_recall, robots_remember
from crawling.web.robots import RobotsRules, RobotsState
from jobs.models import Project
from tests.helpers.crawls import crawl, html, items
from tests.helpers.web_server import Reply, serve

MINUTE = timedelta(minutes=1)


def robots(text: str) -> Reply:
    return Reply(f"User-agent: *\nDisallow: {text}", content_type="text/plain")


def age(by: timedelta) -> None:
    Host.objects.update(robots_fetched_at=timezone.now() - by)


@pytest.mark.django_db
def test_robots_txt_is_remembered_for_a_day() -> None:
    assert timedelta(hours=24) == ROBOTS_LIFE
    assert host_recall("h.test").robots is None
    robots_remember("h.test", RobotsRules(RobotsState.RULES, "User-agent: *\nDisallow: /no"))
    age(ROBOTS_LIFE - MINUTE)
    remembered = host_recall("h.test").robots
    assert remembered is not None
    assert not remembered.allowed("http://h.test/no")
    age(ROBOTS_LIFE + MINUTE)
    assert host_recall("h.test").robots is None


@pytest.mark.django_db(transaction=True)
def test_after_a_day_robots_txt_is_fetched_again_and_its_new_rules_hold(project: Project) -> None:
    page = html("Start", "/a", "/b")
    with serve({"/robots.txt": robots("/a"), "/": page, "/a": html("A"), "/b": html("B")}) as server:
        assert items(crawl(project, server.url("/")))["/a"] == "skipped:robots"
        server.routes = {**server.routes, "/robots.txt": robots("/b")}
        age(ROBOTS_LIFE - MINUTE)
        assert items(crawl(project, server.url("/")))["/a"] == "skipped:robots"
        age(ROBOTS_LIFE + MINUTE)
        again = items(crawl(project, server.url("/")))
        assert server.paths.count("/robots.txt") == 2
    assert (again["/a"], again["/b"]) == ("done", "skipped:robots")


@pytest.mark.django_db
def test_an_unreachable_robots_txt_is_not_remembered() -> None:
    host_recall("h.test")
    robots_remember("h.test", RobotsRules(RobotsState.UNREACHABLE))
    assert Host.objects.get().robots_fetched_at is None
