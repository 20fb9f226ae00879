"""Prometheus' page: behind a token of its own, exact to the letter, and jobs that are stuck are seen."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from config.operate import metrics
from extraction.audit import state
from extraction.audit.state import Progress
from extraction.models import AuditState, VectorChange
from jobs.models import Job, WorkItem
from jobs.queries import gauges
from jobs.queries.gauges import gauges_read
from jobs.states import ItemState, JobStatus
from tests.helpers.factories import claimed

TOKEN = "metrics-secret"


@pytest.fixture
def with_token(settings):
    settings.QUARRY = replace(settings.QUARRY, metrics_token=TOKEN)


def get(authorization=None):
    headers = {} if authorization is None else {"Authorization": authorization}
    return Client().get("/metrics", headers=headers)


def test_without_a_token_in_the_settings_there_is_no_page(settings):
    assert settings.QUARRY.metrics_token == ""
    for authorization in (None, "Bearer ", "Bearer x"):
        assert get(authorization).status_code == 404


@pytest.mark.parametrize("sent", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer schlüssel"])
def test_without_the_right_token_nothing_is_shown(with_token, sent):
    reply = get(sent)  # without the `db` fixture a query would fail the test
    assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, 'Bearer realm="metrics"')
    assert b"quarry_" not in reply.content


def test_only_reading_is_possible(with_token):
    assert Client().post("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 405


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_an_empty_installation_to_the_letter(db, with_token, scheme):
    VectorChange.objects.all().delete()
    AuditState.objects.all().delete()
    reply = get(f"{scheme} {TOKEN}")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "no-store" in reply.headers["Cache-Control"]
    assert reply.content.decode() == EMPTY


EMPTY = """\
# HELP quarry_jobs Jobs by status.
# TYPE quarry_jobs gauge
quarry_jobs{status="queued"} 0
quarry_jobs{status="running"} 0
quarry_jobs{status="paused"} 0
quarry_jobs{status="cancelling"} 0
quarry_jobs{status="cancelled"} 0
quarry_jobs{status="completed"} 0
quarry_jobs{status="failed"} 0
quarry_jobs{status="deleting"} 0
# HELP quarry_items Items of unfinished jobs by state.
# TYPE quarry_items gauge
quarry_items{state="pending"} 0
quarry_items{state="claimed"} 0
quarry_items{state="done"} 0
quarry_items{state="failed"} 0
quarry_items{state="skipped"} 0
# HELP quarry_oldest_lease_seconds Seconds since the oldest expired lease of an item ran out; 0 if none has.\
 Healing returns such items.
# TYPE quarry_oldest_lease_seconds gauge
quarry_oldest_lease_seconds 0
# HELP quarry_stuck_jobs Jobs that should have moved on but have not. Must be 0.
# TYPE quarry_stuck_jobs gauge
quarry_stuck_jobs 0
# HELP quarry_outbox_changes Changes not yet written to the vector store.
# TYPE quarry_outbox_changes gauge
quarry_outbox_changes 0
# HELP quarry_outbox_oldest_seconds Age in seconds of the oldest change not yet written to the vector store.
# TYPE quarry_outbox_oldest_seconds gauge
quarry_outbox_oldest_seconds 0
# HELP quarry_orphans Rows without points and points without rows in the last complete audit. Must be 0.
# TYPE quarry_orphans gauge
# HELP quarry_audit_age_seconds Seconds since the last complete audit ended; absent before the first.
# TYPE quarry_audit_age_seconds gauge
"""


def samples():
    text = metrics.metrics_text()
    return {
        name: float(number) for name, number in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    }


def test_numbers_of_a_house_at_work(make_job):
    VectorChange.objects.all().delete()
    make_job(5), make_job(9, status=JobStatus.COMPLETED), make_job(2, status=JobStatus.PAUSED)
    claimed(2)
    past = timezone.now() - timedelta(seconds=100)
    WorkItem.objects.filter(state=ItemState.CLAIMED.value).update(lease_until=past)
    VectorChange.objects.create(point_id=uuid4(), kind="passage", operation="upsert", version=1, queued_at=past)
    found = samples()
    assert found['quarry_jobs{status="running"}'] == 1
    assert found['quarry_jobs{status="completed"}'] == 1
    assert found['quarry_items{state="pending"}'] == 5  # 3 of the running one, 2 of the paused
    assert found['quarry_items{state="claimed"}'] == 2
    assert 100 <= found["quarry_oldest_lease_seconds"] < 200
    assert found["quarry_outbox_changes"] == 1
    assert 100 <= found["quarry_outbox_oldest_seconds"] < 200
    assert found["quarry_stuck_jobs"] == 0


@pytest.mark.parametrize("progress", [Progress(), Progress(rows_without_points=41, points_without_rows=37)])
def test_orphans_are_those_of_the_last_complete_audit(db, progress):
    AuditState.objects.all().delete()
    state.audit_finished(progress)
    AuditState.objects.update(finished_at=timezone.now() - timedelta(seconds=100))
    state.attempt_interrupted("The store does not answer.")
    found = samples()
    assert found['quarry_orphans{kind="rows_without_points"}'] == progress.rows_without_points
    assert found['quarry_orphans{kind="points_without_rows"}'] == progress.points_without_rows
    assert 100 <= found["quarry_audit_age_seconds"] < 200


def test_a_lease_that_is_held_is_not_old(make_job):
    make_job(2)
    claimed(2)
    assert gauges_read().oldest_lease_seconds == 0


LONG_AGO = timedelta(seconds=gauges.STUCK_SECONDS + 5)
JUST_NOW = timedelta(seconds=gauges.STUCK_SECONDS - 20)


@pytest.mark.parametrize(("age", "stuck"), [(LONG_AGO, 1), (JUST_NOW, 0)])
def test_a_cancelling_job_with_nothing_in_flight_is_stuck_after_a_while(make_job, age, stuck):
    job = make_job(2, status=JobStatus.CANCELLING)
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=timezone.now() - age)
    assert gauges_read().stuck_jobs == stuck


@pytest.mark.parametrize(("skipped", "stuck"), [(JUST_NOW, 0), (LONG_AGO, 1)])
def test_a_large_job_whose_items_are_still_being_skipped_is_not_stuck(make_job, skipped, stuck):
    job = make_job(2, status=JobStatus.CANCELLING)
    WorkItem.objects.filter(job=job, key="item-0").update(
        state="skipped", reason="cancelled", finished_at=timezone.now() - skipped
    )
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=timezone.now() - LONG_AGO)
    assert gauges_read().stuck_jobs == stuck


def test_a_cancelling_job_with_work_in_flight_is_not_stuck(make_job):
    job = make_job(2)
    claimed(1)
    Job.objects.filter(pk=job.pk).update(status="cancelling", cancel_requested_at=timezone.now() - LONG_AGO)
    assert gauges_read().stuck_jobs == 0


@pytest.mark.parametrize(
    ("started", "finished", "left", "stuck"),
    [
        (LONG_AGO, LONG_AGO, None, 1),
        (LONG_AGO, JUST_NOW, None, 0),
        (JUST_NOW, LONG_AGO, None, 0),
        (LONG_AGO, LONG_AGO, "pending", 0),
        (LONG_AGO, LONG_AGO, "claimed", 0),
    ],
)
def test_a_running_job_with_nothing_left_is_stuck_after_a_while(make_job, started, finished, left, stuck):
    job = make_job(3)
    if left == "claimed":
        claimed(1)
    done = WorkItem.objects.filter(job=job).exclude(key="item-0") if left else WorkItem.objects.filter(job=job)
    done.update(state="done", finished_at=timezone.now() - finished)
    Job.objects.filter(pk=job.pk).update(started_at=timezone.now() - started)
    assert gauges_read().stuck_jobs == stuck


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.DELETING])
def test_a_removal_that_met_a_difficulty_is_stuck(make_job, status):
    now = timezone.now()
    asked = {"cleanup_requested_at": now} if status is JobStatus.COMPLETED else {"delete_requested_at": now}
    job = make_job(1, status=status, **asked)
    assert gauges_read().stuck_jobs == 0
    Job.objects.filter(pk=job.pk).update(removal_error="The store does not answer.")
    assert gauges_read().stuck_jobs == 1
    if status is JobStatus.COMPLETED:
        Job.objects.filter(pk=job.pk).update(cleaned_at=now)
        assert gauges_read().stuck_jobs == 0


def test_without_a_database_it_is_503(with_token, monkeypatch):
    def fail():
        raise OperationalError("password of 10.1.2.3")

    monkeypatch.setattr(metrics, "gauges_read", fail)
    reply = get(f"Bearer {TOKEN}")
    assert (reply.status_code, reply.content) == (503, b"The database does not answer; see /readyz.\n")
