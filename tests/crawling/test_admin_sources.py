"""Sources in the admin: hostile content only as escaped text or as a download no browser renders."""

import gzip

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from crawling import admin as crawling_admin
from crawling.models import Host, Source, SourceContent, SourceHold
from jobs.control.pause import lane_pause
from jobs.models import Job, Lane, Project

pytestmark = pytest.mark.django_db

LIST = "/admin/crawling/source/"
BODY = b"<html><script>alert(1)</script>\xff\x00</html>"
TEXT = "# Title <script>alert(2)</script>"


@pytest.fixture
def job() -> Job:
    return Job.objects.create(project=Project.objects.create(name="p"), kind="crawl")


@pytest.fixture
def source(job: Job) -> Source:
    source = Source.objects.create(project=job.project, job=job, url="javascript:alert(3)", title="<b>t</b>")
    SourceContent.objects.create(source=source, body=gzip.compress(BODY), text=TEXT, headers={"x": "<i>"})
    return source


def test_the_original_is_a_download_of_unknown_type(admin_client: Client, source: Source) -> None:
    answer = admin_client.get(f"{LIST}{source.pk}/original/")
    assert answer.content == BODY
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == f'attachment; filename="{source.pk}.bin"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in answer["Content-Security-Policy"]


def test_a_download_reads_no_more_than_a_page_may_hold(
    admin_client: Client, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was compressed to a few kilobytes may be gigabytes: no more of it is unpacked than any page has."""
    monkeypatch.setattr(crawling_admin, "MAX_ORIGINAL_BYTES", len(BODY))
    SourceContent.objects.filter(pk=source.pk).update(body=gzip.compress(BODY + b"x"))
    assert admin_client.get(f"{LIST}{source.pk}/original/").content == BODY


def test_the_text_is_a_download_of_plain_text(admin_client: Client, source: Source) -> None:
    answer = admin_client.get(f"{LIST}{source.pk}/text/")
    assert answer.content.decode() == TEXT
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment;")


def test_the_page_shows_escaped_text_and_no_script_link(admin_client: Client, source: Source) -> None:
    page = admin_client.get(f"{LIST}{source.pk}/change/").content.decode()
    assert "&lt;script&gt;alert(2)" in page
    assert "<script>alert" not in page
    assert 'href="javascript:' not in page


def test_a_long_text_is_read_only_in_part(admin_client: Client, source: Source) -> None:
    SourceContent.objects.filter(pk=source.pk).update(text="x" * 20_000 + "THE END")
    page = admin_client.get(f"{LIST}{source.pk}/change/").content.decode()
    assert "THE END" not in page
    assert "7 more characters" in page


def test_downloads_need_the_permission_and_a_known_id(admin_client: Client, source: Source) -> None:
    other = Client()
    other.force_login(User.objects.create_user("mona", is_staff=True))
    assert other.get(f"{LIST}{source.pk}/original/").status_code == 403
    assert Client().get(f"{LIST}{source.pk}/original/").status_code == 302
    assert admin_client.get(f"{LIST}nonsense/original/").status_code == 404
    assert admin_client.get(f"{LIST}01900000-0000-7000-8000-000000000000/text/").status_code == 404


def test_the_list_never_touches_the_contents(admin_client: Client, source: Source) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(LIST).content.decode()
    assert "&lt;b&gt;t&lt;/b&gt;" in page
    assert [q["sql"] for q in queries.captured_queries if "crawling_sourcecontent" in q["sql"]] == []


def test_the_sources_a_job_holds_are_listed(admin_client: Client, source: Source, job: Job) -> None:
    other = Source.objects.create(project=job.project, url="https://a.test/other")
    SourceHold.objects.create(source=source, job=job)
    found = admin_client.get(f"{LIST}?holds__job={job.pk}").context_data["cl"].result_list
    assert [row.pk for row in found] == [source.pk]
    assert other.pk != source.pk


def test_sources_are_neither_changed_nor_deleted(admin_client: Client, source: Source) -> None:
    assert admin_client.post(f"{LIST}{source.pk}/change/", {"title": "x"}).status_code == 403
    assert admin_client.post(f"{LIST}{source.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Source.objects.filter(pk=source.pk).exists()


def test_staff_set_the_delay_of_a_host_and_nothing_else(admin_client: Client) -> None:
    host = Host.objects.create(netloc="a.test", robots_text="User-agent: <script>")
    page = f"/admin/crawling/host/{host.pk}/change/"
    assert "&lt;script&gt;" in admin_client.get(page).content.decode()
    admin_client.post(page, {"delay_seconds": "2.5", "netloc": "b.test", "slow_down_seconds": "9"})
    host.refresh_from_db()
    assert (host.delay_seconds, host.netloc, host.slow_down_seconds) == (2.5, "a.test", 0.0)


def test_the_list_of_hosts_leads_to_where_each_is_paused(admin_client: Client) -> None:
    for netloc in ("a.test", "b.test", "c.test"):
        Host.objects.create(netloc=netloc)
    lanes = [Lane.objects.create(key=f"host:{netloc}") for netloc in ("a.test", "b.test")]
    lane_pause(lane_id=lanes[1].pk)
    page = admin_client.get("/admin/crawling/host/").content.decode()
    links = [
        f'<a href="/admin/jobs/lane/{lane.pk}/change/">{text}</a>'
        for lane, text in zip(lanes, ["open", "paused"], strict=True)
    ]
    assert all(link in page for link in links)
    assert page.count("/admin/jobs/lane/") == 2 + 1  # and the navigation
