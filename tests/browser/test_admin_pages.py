"""The admin in a real browser: no page breaks the content security policy, and jobs are cancelled by clicking."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from crawling.models import Host, Source, SourceContent
from extraction.models import Passage, SchemaVersion
from jobs.models import ApiKey, Job, JobEvent, Lane, Project, WorkItem
from tests.helpers.factories import states, status_of
from tests.helpers.web_driver import Browser

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

HOSTILE = '"><script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">'
LISTS = (
    "jobs/job", "jobs/workitem", "jobs/lane", "jobs/jobevent", "jobs/project", "jobs/apikey", "crawling/source",
    "crawling/host", "extraction/extraction", "extraction/passage", "extraction/schemaversion",
    "extraction/vectorchange", "auth/user", "auth/group",
)  # fmt: skip


@pytest.fixture
def hostile(make_job: Callable[..., Job], project: Project) -> list[str]:
    """Rows full of markup; the addresses of the pages that show them."""
    job = make_job([f"https://a.test/?{HOSTILE}"], label=HOSTILE, payload={"x": HOSTILE}, error=HOSTILE)
    JobEvent.objects.create(job_id=job.pk, action="submit", actor=HOSTILE[:150], reason=HOSTILE)
    source = Source.objects.create(project=project, job=job, url=f"https://a.test/{HOSTILE}", title=HOSTILE)
    SourceContent.objects.create(source=source, body=b"", text=HOSTILE, headers={HOSTILE: HOSTILE})
    passage = Passage.objects.create(
        project=project, source=source, job=job, ordinal=0, start=0, end=9, text=HOSTILE, heading_path=[HOSTILE]
    )
    schema = SchemaVersion.objects.create(project=project, number=1, schema={"name": HOSTILE, "field_groups": []})
    key = ApiKey.objects.create(user=User.objects.get(), name="key", prefix="qk_", digest="d")
    group = Group.objects.create(name="editors")
    host = Host.objects.create(netloc="a.test", last_error=HOSTILE, robots_text=HOSTILE)
    lane = Lane.objects.create(key="host:a.test", paused_at=timezone.now(), paused_by="ada", paused_reason=HOSTILE)
    WorkItem.objects.filter(job=job).update(lane=lane)
    return [
        f"jobs/job/{job.pk}/change/",
        f"jobs/job/{job.pk}/history/",
        f"jobs/workitem/{WorkItem.objects.get().pk}/change/",
        f"jobs/jobevent/{JobEvent.objects.latest('pk').pk}/change/",
        f"jobs/apikey/{key.pk}/change/",
        f"jobs/lane/{lane.pk}/change/",
        f"crawling/host/{host.pk}/change/",
        f"crawling/source/{source.pk}/change/",
        f"extraction/passage/{passage.pk}/change/",
        f"extraction/schemaversion/{schema.pk}/change/",
        f"auth/user/{User.objects.get().pk}/change/",
        f"auth/user/{User.objects.get().pk}/password/",
        f"auth/group/{group.pk}/change/",
        f"auth/group/{group.pk}/delete/",
    ]


def test_no_page_breaks_the_content_security_policy(page: Browser, live_server: Any, hostile: list[str]) -> None:
    others = [
        "",
        "password_change/",
        "jobs/",
        "auth/user/add/",
        "auth/group/add/",
        "jobs/project/add/",
        "jobs/apikey/add/",
    ]
    complaints = {}
    for path in [*others, *(f"{name}/" for name in LISTS), *hostile]:
        page.go(f"{live_server.url}/admin/{path}")
        assert page.title != "owned", path
        assert "Quarry" in page.title, path
        assert page.count("#sidebar"), path
        if said := page.complaints():
            complaints[path] = said
    assert complaints == {}


def test_a_violation_would_be_noticed(page: Browser) -> None:
    """The test above could not fail if the console stayed silent."""
    page.run(
        "const s = document.createElement('script'); s.textContent = 'document.title = 1'; document.body.append(s)"
    )
    assert any("Content Security Policy" in said for said in page.complaints())


def test_a_job_is_cancelled_from_its_own_page(page: Browser, live_server: Any, make_job: Callable[..., Job]) -> None:
    job = make_job(3, label="docs")
    page.go(f"{live_server.url}/admin/jobs/job/{job.pk}/change/")
    page.click("button[name=do][value=cancel]")
    assert page.text("h1") == "Cancel 1 job?"
    page.type("#reason", "the wrong site")
    page.click(".confirm .foot button")
    page.wait("return document.querySelector('.messagelist')")
    assert "3 items skipped" in page.text(".messagelist")
    assert "cancelled" in page.text(".heading .badge")
    assert "the wrong site" in page.text(".timeline")
    assert (status_of(job), states(job)) == ("cancelled", {"skipped": 3})
    assert page.complaints() == []


def test_the_chosen_button_acts_on_the_ticked_rows(
    page: Browser, live_server: Any, make_job: Callable[..., Job]
) -> None:
    ticked, left = make_job(2, label="ticked"), make_job(2, label="left")
    page.go(f"{live_server.url}/admin/jobs/job/")
    page.click(f"input.action-select[value='{ticked.pk}']")
    page.run("[...document.querySelectorAll('.actions button')].find(b => b.textContent.startsWith('Pause')).click()")
    page.wait("return document.querySelector('#reason')")
    assert "ticked" in page.text(".confirm tbody")
    page.type("#reason", "a pause")
    page.click(".confirm .foot button")
    page.wait("return document.querySelector('.messagelist')")
    assert (status_of(ticked), status_of(left)) == ("paused", "running")


def test_the_page_of_a_running_job_follows_it(page: Browser, live_server: Any, make_job: Callable[..., Job]) -> None:
    job = make_job(4)
    page.go(f"{live_server.url}/admin/jobs/job/{job.pk}/change/")
    Job.objects.filter(pk=job.pk).update(status="paused")
    page.wait("return document.querySelector('.heading .badge').textContent === 'paused'")
    assert page.complaints() == []


@pytest.mark.parametrize("width", [400, 800, 1440])
@pytest.mark.parametrize("path", ["", "jobs/job/", "jobs/workitem/"])
def test_no_page_is_wider_than_the_screen(
    page: Browser, live_server: Any, make_job: Callable[..., Job], path: str, width: int
) -> None:
    make_job(["https://example.org/" + "a" * 180], label="https://example.org/" + "b" * 120)
    page.devtools("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    try:
        page.go(f"{live_server.url}/admin/{path}")
        assert page.run("return document.documentElement.scrollWidth") <= width
    finally:
        page.devtools("Emulation.clearDeviceMetricsOverride")


LIGHT, DARK = "rgb(248, 250, 252)", "rgb(11, 18, 32)"


@pytest.mark.parametrize(
    ("system", "theme", "background"),
    [
        ("light", "auto", LIGHT),
        ("dark", "auto", DARK),
        ("light", "dark", DARK),
        ("dark", "light", LIGHT),
    ],
)
def test_colours_follow_the_system_unless_the_toggle_says_otherwise(
    page: Browser, live_server: Any, system: str, theme: str, background: str
) -> None:
    page.colours(system)
    page.run(f"localStorage.setItem('theme', '{theme}')")
    try:
        page.go(f"{live_server.url}/admin/")
        assert page.run("return getComputedStyle(document.body).backgroundColor") == background
        crumbs = "return getComputedStyle(document.querySelector('.breadcrumbs')).backgroundColor"
        assert page.run(crumbs) == "rgba(0, 0, 0, 0)", "Django's own dark theme shows through"
    finally:
        page.run("localStorage.removeItem('theme')")
