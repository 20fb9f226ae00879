"""The admin's list of jobs and the page of one job, over Django's client on the real database."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from jobs.control.pause import job_pause
from jobs.models import Job, Project
from jobs.states import JobStatus
from tests.helpers.factories import claimed
from tests.helpers.staff import EVERYTHING, LIST, selected_columns, staff

pytestmark = pytest.mark.django_db

BULKY = ("payload", "result", "error", "removal")


@pytest.fixture
def everything(db: None) -> Client:
    """A member of staff who may do everything to jobs."""
    return staff(*EVERYTHING)


def test_the_list_shows_status_progress_and_no_bulk(everything: Client, make_job: Callable[..., Job]) -> None:
    job = make_job(3, label="<b>docs</b>", payload={"secret": "bulk"})
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = everything.get(LIST).content.decode()
    assert "&lt;b&gt;docs&lt;/b&gt;" in page
    assert "<b>docs" not in page
    assert "badge-running" in page
    assert "0% · 0 / 3" in page
    assert str(job.pk) in page
    columns = " ".join(selected_columns(queries, "jobs_job"))
    assert '"jobs_job"."label"' in columns
    assert not [name for name in BULKY if f'"jobs_job"."{name}"' in columns]


def test_the_list_needs_as_many_queries_for_twenty_jobs_as_for_one(
    everything: Client, make_job: Callable[..., Job]
) -> None:
    make_job(2)
    with CaptureQueriesContext(connection) as one:
        everything.get(LIST)
    for _ in range(19):
        make_job(2)
    with CaptureQueriesContext(connection) as twenty:
        everything.get(LIST)
    assert len(twenty) == len(one)


@pytest.mark.parametrize(
    ("query", "found"),
    [({"q": "alpha"}, "alpha"), ({"status__exact": "paused"}, "beta"), ({"kind": "crawl"}, None)],
)
def test_jobs_are_found_by_label_status_and_kind(
    everything: Client, make_job: Callable[..., Job], query: dict[str, str], found: str | None
) -> None:
    make_job(1, label="alpha")
    make_job(1, label="beta", status=JobStatus.PAUSED)
    rows = everything.get(LIST, query).context_data["cl"].result_list
    assert [job.label for job in rows] == ([found] if found else [])


def test_a_job_is_found_by_its_id(everything: Client, make_job: Callable[..., Job]) -> None:
    make_job(1, label="other")
    job = make_job(1, label="wanted")
    rows = everything.get(LIST, {"q": str(job.pk)}).context_data["cl"].result_list
    assert [row.pk for row in rows] == [job.pk]


def test_nobody_without_the_permission_sees_jobs(make_job: Callable[..., Job]) -> None:
    job = make_job(1)
    assert staff("cancel_job").get(LIST).status_code == 403
    assert staff("cancel_job").get(f"{LIST}{job.pk}/change/").status_code == 403


def test_the_page_of_a_job_tells_everything(everything: Client, make_job: Callable[..., Job]) -> None:
    job = make_job(4, label="<script>alert(1)</script>", payload={"url": "</pre><script>x</script>"})
    claimed(1)
    job_pause(job_id=job.pk, actor="mona", reason="<i>night</i>")
    page = everything.get(f"{LIST}{job.pk}/change/").content.decode()
    assert "<script>alert" not in page
    assert "<script>x" not in page
    assert "&lt;i&gt;night&lt;/i&gt;" in page
    assert "running → paused" in page
    assert "by mona" in page
    assert "0 of 4 items settled" in page
    assert f"?job={job.pk}&amp;state__exact=claimed" in page


def test_the_page_of_an_unknown_job_leads_back(everything: Client) -> None:
    for key in ("01900000-0000-7000-8000-000000000000", "nonsense"):
        assert everything.get(f"{LIST}{key}/change/").status_code == 302


def test_django_deletes_nothing_here(admin_client: Client, make_job: Callable[..., Job], project: Project) -> None:
    job = make_job(1)
    assert admin_client.get(f"{LIST}{job.pk}/delete/").status_code == 403
    assert admin_client.post(f"{LIST}{job.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in admin_client.get(LIST).content.decode()
    project_page = reverse("admin:jobs_project_delete", args=[project.pk])
    assert admin_client.post(project_page, {"post": "yes"}).status_code == 403
    assert Job.objects.filter(pk=job.pk).exists()
