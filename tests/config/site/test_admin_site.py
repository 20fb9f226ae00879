"""The admin site: navigation, dashboard, and what must not be there."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from config.site import admin_site, dashboard
from extraction.audit.state import LastAudit
from jobs.models import Job, Lane, Project, WorkItem

pytestmark = pytest.mark.django_db


@pytest.fixture
def jobs() -> list[Job]:
    """A running job with two pending items and one done, and a job that failed with one item an hour ago."""
    project, lane, now = Project.objects.create(name="p"), Lane.objects.create(key="host:a"), timezone.now()
    running = Job.objects.create(project=project, kind="crawl", status="running", label="<b>run</b>", started_at=now)
    failed = Job.objects.create(
        project=project, kind="crawl", status="failed", label="bad", completed_at=now - timedelta(minutes=5),
        result={"counts": {"failed": 1}},
    )  # fmt: skip
    items = [WorkItem(job=running, lane=lane, key=f"k{n}") for n in range(2)]
    items.append(WorkItem(job=running, lane=lane, key="d", state="done", finished_at=now))
    items.append(WorkItem(job=failed, lane=lane, key="f", state="failed", reason="dns", finished_at=now))
    WorkItem.objects.bulk_create(items)
    return [running, failed]


def words(groups: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the words of the navigation."""
    return {group["words"]: [page["words"] for page in group["pages"]] for group in groups}


def test_the_navigation_is_grouped_and_complete(admin_client: Client) -> None:
    groups = words(admin_client.get("/admin/").context_data["navigation"])
    assert list(groups) == ["Operate", "Knowledge", "Access"]
    assert groups["Operate"][0] == "Jobs"
    registered = {model._meta.label for model in admin.site._registry}
    assert registered == {entry.model for _, entries in admin_site.NAVIGATION for entry in entries}


def test_the_navigation_shows_what_one_may_see() -> None:
    user = User.objects.create_user("mona", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_source"))
    client = Client()
    client.force_login(user)
    page = client.get("/admin/")
    assert words(page.context_data["navigation"]) == {"Knowledge": ["Sources"]}
    assert page.context_data["dashboard"] is None


def test_tasks_of_the_broker_and_djangos_bulk_deletion_are_gone() -> None:
    assert "Task" not in {model.__name__ for model in admin.site._registry}
    assert "delete_selected" not in dict(admin.site.actions)
    assert admin_site.site is admin.site


def test_the_dashboard_counts(admin_client: Client, jobs: list[Job]) -> None:
    page = admin_client.get("/admin/")
    facts = page.context_data["dashboard"]
    assert [(tile.words, tile.number) for tile in facts["tiles"][:3]] == [
        ("Running jobs", "1"),
        ("Items pending", "2"),
        ("Failed items, 24 h", "1"),
    ]
    assert facts["statuses"] == [("running", 1), ("failed", 1)]
    assert facts["chart"].total == 2
    assert "&lt;b&gt;run&lt;/b&gt;" in page.content.decode()


def test_the_dashboard_of_an_empty_house_says_what_to_do(admin_client: Client) -> None:
    assert "manage.py crawl" in admin_client.get("/admin/").content.decode()


LAST = LastAudit(720.0, 1234, 1234, 0, 0, 0, 1.5, "")


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (None, "Rows and vectors have not been compared yet."),
        (LAST, "Rows and vectors were compared 12 minutes ago: 1,234 rows and 1,234 points, all in sync."),
        (replace(LAST, fixed=7), "7 differences queued for repair."),
        (
            replace(LAST, rows_without_points=41, points_without_rows=1037),
            "41 rows without points, 1,037 points without rows. Stop Quarry and run manage.py audit --fix.",
        ),
        (replace(LAST, interruption="<b>Qdrant</b> is away."), "The latest attempt stopped: <b>Qdrant</b> is away."),
    ],
)
def test_the_dashboard_tells_of_the_last_audit(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, last: LastAudit | None, said: str
) -> None:
    monkeypatch.setattr(dashboard, "last_audit", lambda: last)
    page = admin_client.get("/admin/").content.decode()
    assert dashboard.audit_line(last).replace("\xa0", " ").endswith(said)
    assert escape(dashboard.audit_line(last)) in page


def test_the_dashboard_needs_few_queries_however_many_jobs_there_are(admin_client: Client, jobs: list[Job]) -> None:
    with CaptureQueriesContext(connection) as few:
        dashboard.read()
    fields = {"project": jobs[0].project, "kind": "crawl", "status": "running", "started_at": timezone.now()}
    Job.objects.bulk_create([Job(**fields) for _ in range(60)])
    with CaptureQueriesContext(connection) as many:
        dashboard.read()
    assert len(many) <= len(few) + 1  # jobs shown beyond the active ones that were read
    assert len(many) <= 12


@pytest.mark.parametrize(("number", "top"), [(1, 4), (4, 4), (5, 8), (9, 20), (41, 80), (90, 200), (801, 2000)])
def test_the_axis_ends_at_a_round_number(number: int, top: int) -> None:
    assert dashboard._round_up(number) == top


def test_accounts_are_not_deleted(admin_client: Client) -> None:
    user = User.objects.create_user("mona")
    assert admin_client.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get("/admin/auth/user/").status_code == 200


def test_the_content_security_policy_covers_every_page(admin_client: Client) -> None:
    for path in ("/admin/", "/admin/jobs/job/", "/admin/login/"):
        answer = admin_client.get(path)
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        page = answer.content.decode()
        assert "<style" not in page
        assert " style=" not in page
        assert "onclick=" not in page
