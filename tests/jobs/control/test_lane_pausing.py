"""Pausing a lane: who serves it stops, nobody else begins, nothing is counted against an item, and staff see why."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from jobs.control.cancel import job_cancel
from jobs.control.pause import lane_pause, lane_resume
from jobs.errors import NotFound
from jobs.messages import wake
from jobs.models import Job, Lane
from jobs.queries import gauges
from jobs.worker import healing, runner, slice
from tests.helpers.factories import Gate, Probe, claimed, held_at, item, lane_id, lane_is_free, states, status_of
from tests.helpers.staff import frozen, staff
from tests.helpers.threads import Side

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
LIST, ACT = "/admin/jobs/lane/", "/admin/jobs/lane/act/"


def test_what_is_in_flight_is_given_back_and_done_after_the_resume(
    make_job: MakeJob, probe: Probe, in_thread: Callable[..., Side], sent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slice, "HEARTBEAT_SECONDS", 3600.0)  # the pause is noticed without one
    gate = Gate()
    probe.do = held_at(gate)
    job = make_job(20)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(16)
    assert lane_pause(lane_id=lane_id(), actor="ada", reason="they complained").changed
    assert side.result() == 0
    assert (status_of(job), states(job), lane_is_free()) == ("running", {"pending": 20}, True)
    assert (item(job).attempts, item(job).lost_leases) == (0, 0)

    probe.do = held_at(gate, but=lambda claim: True)
    sent.messages.clear()
    assert lane_resume(lane_id=lane_id(), actor="ada").changed
    assert sent.messages == [("run_slice", (lane_id(),), None)]
    assert runner.slice_run(lane_id=lane_id()) == 20
    assert status_of(job) == "completed"


def test_nobody_serves_or_wakes_a_paused_lane(make_job: MakeJob, probe: Probe, sent: Any) -> None:
    lane_pause(lane_id=_lane_of(make_job(3)))
    sent.messages.clear()
    assert runner.slice_run(lane_id=lane_id()) == 0
    assert wake.lanes_wake([lane_id()]) == 0
    healing.heal()
    assert (probe.started, sent.messages, gauges.gauges_read().stuck_jobs) == ([], [], 0)


def test_a_job_that_waits_for_a_paused_lane_is_cancelled_as_any_other(make_job: MakeJob) -> None:
    job = make_job(3)
    lane_pause(lane_id=lane_id())
    assert job_cancel(job_id=job.pk).status == "cancelled"


def test_the_other_lanes_of_a_job_go_on(make_job: MakeJob, probe: Probe) -> None:
    make_job(3)
    make_job(2, lane="probe:2")
    lane_pause(lane_id=lane_id())
    assert runner.slice_run(lane_id=lane_id("probe:2")) == 2


def test_repeating_changes_nothing_and_keeps_who_was_first(make_job: MakeJob) -> None:
    make_job(1)
    assert not lane_resume(lane_id=lane_id()).changed
    assert lane_pause(lane_id=lane_id(), actor="ada", reason="r" * 600).changed
    assert not lane_pause(lane_id=lane_id(), actor="bob", reason="me too").changed
    lane = Lane.objects.get()
    assert (lane.paused_by, lane.paused_reason) == ("ada", "r" * 500)
    lane_resume(lane_id=lane_id())
    lane.refresh_from_db()
    assert (lane.paused_at, lane.paused_by, lane.paused_reason) == (None, "", "")


@pytest.mark.parametrize("service", [lane_pause, lane_resume])
def test_a_lane_that_is_not_there_is_not_found(db: None, service: Callable[..., Any]) -> None:
    with pytest.raises(NotFound, match="There is no lane 7; list the lanes"):
        service(lane_id=7)


# The admin


def test_staff_pause_and_resume_with_a_preview_and_a_reason(make_job: MakeJob) -> None:
    job = make_job(5)
    claimed(2)
    client = staff("view_lane", "change_lane", "view_job")
    page = client.get(f"{LIST}{lane_id()}/change/").content.decode()
    assert re.findall(r'name="do" value="([a-z]+)"', page) == ["pause"]

    answer = client.post(ACT, {"do": "pause", "id": [lane_id()]})
    preview = answer.context_data["preview"]
    assert (preview.headings, preview.lines) == (["jobs", "pending", "in flight"], [("probe:1", "idle", [1, 3, 2])])
    assert _confirmed(client, "pause", answer) == ["Pause: 1 changed."]
    lane = Lane.objects.get()
    assert (lane.paused_at is not None, lane.paused_by[:6], lane.paused_reason) == (True, "staff-", "they <complained>")
    assert LogEntry.objects.get().change_message == "Pause: they <complained>"

    job_page = client.get(f"/admin/jobs/job/{job.pk}/change/").content.decode()
    assert "Some of its items wait" in job_page
    assert "they &lt;complained&gt;" in job_page
    page = client.get(f"{LIST}{lane_id()}/change/").content.decode()
    assert re.findall(r'name="do" value="([a-z]+)"', page) == ["resume"]
    assert "they &lt;complained&gt;" in page

    answer = client.post(ACT, {"do": "resume", "id": [lane_id()]})
    assert _confirmed(client, "resume", answer) == ["Resume: 1 changed."]
    assert "Some of its items wait" not in client.get(f"/admin/jobs/job/{job.pk}/change/").content.decode()
    assert LogEntry.objects.count() == 2


def test_several_lanes_are_summed_and_those_that_stand_so_are_told_apart(make_job: MakeJob) -> None:
    make_job(2)
    make_job(3, lane="probe:2")
    lane_pause(lane_id=lane_id())
    client = staff("view_lane", "change_lane")
    answer = client.post(ACT, {"do": "pause", "id": [lane_id(), lane_id("probe:2")]})
    assert answer.context_data["preview"].totals == ["", 5, 0]
    assert _confirmed(client, "pause", answer) == ["Pause: 1 changed. 1 needed no change."]


def test_who_may_not_change_lanes_has_no_buttons_and_is_refused(make_job: MakeJob) -> None:
    make_job(1)
    client = staff("view_lane")
    assert 'name="do"' not in client.get(f"{LIST}{lane_id()}/change/").content.decode()
    assert client.post(ACT, {"do": "pause", "id": [lane_id()]}).status_code == 403
    assert Lane.objects.get().paused_at is None


def _confirmed(client: Client, name: str, answer: Any) -> list[str]:
    """Confirm what the page asked; return what is said then."""
    form = {"do": name, "frozen": frozen(answer), "reason": "they <complained>"}
    done = client.post(ACT, form, follow=True)
    assert done.status_code == 200
    return [str(message) for message in done.context["messages"]]


def _lane_of(job: Job) -> int:
    return int(Lane.objects.get(items__job=job, items__key="item-0").pk)
