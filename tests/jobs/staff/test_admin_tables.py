"""Big tables in the admin: counted by estimate, paged by key, no bulky column loaded; all on the real database."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.models import Job, JobEvent, Project, WorkItem
from jobs.staff import tables
from tests.helpers.factories import claimed

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/workitem/"


def rows(client: Client, url: str) -> list[str]:
    """Return the keys of the items on the page."""
    return [item.key for item in client.get(url).context_data["cl"].result_list]


def changelist(client: Client, url: str) -> Any:
    """Return the list Django drew."""
    return client.get(url).context_data["cl"]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three rows."""
    from jobs.staff.items import WorkItemAdmin

    monkeypatch.setattr(WorkItemAdmin, "list_per_page", 3)


def test_items_are_paged_by_key_there_and_back(
    admin_client: Client, make_job: Callable[..., Job], small_pages: None
) -> None:
    job = make_job([f"k{n}" for n in range(8)])
    for start, expected in ((f"{LIST}", [f"k{n}" for n in range(7, -1, -1)]), (f"{LIST}?job={job.pk}", None)):
        expected = expected or [f"k{n}" for n in range(8)]
        seen, url, pages = [], start, []
        while url:
            pages.append(changelist(admin_client, url))
            seen.append([item.key for item in pages[-1].result_list])
            url = LIST + pages[-1].older if pages[-1].older else ""
        assert seen == [expected[:3], expected[3:6], expected[6:]]
        assert pages[0].newer is None
        back = changelist(admin_client, LIST + pages[-1].newer)
        assert [item.key for item in back.result_list] == expected[3:6]
        first = changelist(admin_client, LIST + back.newer)
        assert [item.key for item in first.result_list] == expected[:3]
        assert first.newer is None
        assert first.older


def test_a_hand_typed_key_finds_nothing_and_breaks_nothing(admin_client: Client, make_job: Callable[..., Job]) -> None:
    make_job(2)
    assert rows(admin_client, f"{LIST}?after=nonsense") == []


def test_a_small_table_is_counted_exactly(admin_client: Client, make_job: Callable[..., Job]) -> None:
    make_job(7)
    page = changelist(admin_client, LIST)
    assert (page.result_count, page.is_estimate) == (7, False)


def test_a_big_table_is_never_counted(
    admin_client: Client, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "EXACT_COUNT_ROWS", 100)
    make_job(400)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_workitem")
    for url in (LIST, f"{LIST}?state__exact=pending", f"{LIST}?q=item-1"):
        with CaptureQueriesContext(connection) as queries:
            answer = admin_client.get(url)
        statements = [query["sql"] for query in queries.captured_queries if "jobs_workitem" in query["sql"]]
        counts = [sql for sql in statements if "COUNT(" in sql.upper() and not sql.startswith("EXPLAIN")]
        assert counts == []
        assert answer.context_data["cl"].is_estimate
        assert all("LIMIT" in sql for sql in statements if sql.startswith("SELECT") and "pg_class" not in sql)
    assert changelist(admin_client, LIST).result_count == 400
    assert "about 400 work items" in admin_client.get(LIST).content.decode()


def test_the_list_loads_no_bulk_and_needs_no_query_per_row(admin_client: Client, make_job: Callable[..., Job]) -> None:
    make_job(1)
    admin_client.get(LIST)
    with CaptureQueriesContext(connection) as one:
        admin_client.get(LIST)
    make_job(30)
    with CaptureQueriesContext(connection) as many:
        admin_client.get(LIST)
    assert len(many) == len(one)
    loaded = [q["sql"] for q in many.captured_queries if re.match(r'SELECT "jobs_workitem"."id", ', q["sql"])]
    assert len(loaded) == 1
    for column in ('"jobs_workitem"."data"', '"jobs_workitem"."result"', '"jobs_job"."payload"', '"jobs_job"."result"'):
        assert column not in loaded[0]


def test_items_are_filtered_by_job_state_and_reason(admin_client: Client, make_job: Callable[..., Job]) -> None:
    job, other = make_job(3), make_job(["other"])
    claimed(1)
    WorkItem.objects.filter(key="item-2").update(state="skipped", reason="robots", finished_at=job.created_at)
    assert rows(admin_client, f"{LIST}?job={job.pk}&reason=robots") == ["item-2"]
    assert rows(admin_client, f"{LIST}?job={other.pk}") == ["other"]
    assert len(rows(admin_client, f"{LIST}?state__exact=claimed")) == 1


@pytest.mark.parametrize("model", ["workitem", "lane", "jobevent"])
def test_what_services_write_is_read_only(admin_client: Client, make_job: Callable[..., Job], model: str) -> None:
    job = make_job(1)
    event = JobEvent.objects.create(job_id=job.pk, action="submit")
    item = WorkItem.objects.get()
    key = {"workitem": item.pk, "lane": item.lane_id, "jobevent": event.pk}[model]
    base = f"/admin/jobs/{model}/"
    assert admin_client.get(f"{base}{key}/change/").status_code == 200
    assert admin_client.post(f"{base}{key}/change/", {"state": "done"}).status_code == 403
    assert admin_client.get(f"{base}add/").status_code == 403
    assert admin_client.post(f"{base}{key}/delete/", {"post": "yes"}).status_code == 403
    item.refresh_from_db()
    assert item.state == "pending"


def test_the_history_of_a_deleted_job_is_still_shown(admin_client: Client) -> None:
    from jobs.models import new_id

    gone = new_id()
    JobEvent.objects.create(job_id=gone, action="deleted", actor="mona")
    assert str(gone) in admin_client.get("/admin/jobs/jobevent/").content.decode()


PROJECT_LISTS = (
    "jobs/job",
    "crawling/source",
    "extraction/extraction",
    "extraction/passage",
    "extraction/schemaversion",
)


@pytest.mark.parametrize("path", PROJECT_LISTS)
def test_the_filter_by_project_reads_only_their_names(
    admin_client: Client, make_job: Callable[..., Job], path: str
) -> None:
    """A project carries its configuration and prompts, and a list shows the names of all projects."""
    job = make_job(1)
    other = Project.objects.create(name="Another")
    for project, found in ((job.project, [job.pk]), (other, [])):
        with CaptureQueriesContext(connection) as queries:
            shown = changelist(admin_client, f"/admin/{path}/?project__id__exact={project.pk}")
        assert [str(name) for _, name in shown.filter_specs[-1].lookup_choices] == ["Another", "Instruments"]
        assert [row.pk for row in shown.result_list] == (found if path == "jobs/job" else [])
        of_projects = [q["sql"] for q in queries.captured_queries if 'FROM "jobs_project"' in q["sql"]]
        assert [sql for sql in of_projects if "prompt_templates" in sql] == []
