"""Every action on a job in every situation, in the admin: from the list and from the job's own page."""

import re
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from jobs.errors import Conflict
from jobs.models import Job, JobEvent
from jobs.registry import owners
from jobs.staff import job_actions
from jobs.states import ItemState, JobStatus
from tests.helpers.empty_owners import empty_owners
from tests.helpers.factories import states, status_of
from tests.helpers.staff import ACT, EVERYTHING, LIST, staff
from tests.helpers.staff import frozen as frozen_set
from tests.helpers.state_matrix import (
    ACTIONS,
    CELLS,
    SERVICES,
    SITUATIONS,
    MakeJob,
    expected,
    frozen,
    job_in,
    status_in,
)

pytestmark = pytest.mark.django_db

#: action → its name and its label in the admin.
BUTTONS = {
    "cancel": ("cancel", "Cancel"),
    "force": ("force", "Force cancel"),
    "cleanup": ("cleanup", "Clean up"),
    "delete": ("delete_keep", "Delete, keep results"),
    "delete_cleanup": ("delete", "Delete"),
    "retry": ("retry", "Retry"),
    "pause": ("pause", "Pause"),
    "resume": ("resume", "Resume"),
}
NAMES = [action.name for action in job_actions.JOB_ACTIONS]


@pytest.fixture(autouse=True)
def nothing_owned_or_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jobs own nothing (see test_removal.py) and pages not wait for an actor that does not come."""
    monkeypatch.setattr(owners, "_owners", empty_owners())
    monkeypatch.setattr(job_actions, "REMOVAL_WAIT_SECONDS", 0.0)


@pytest.fixture
def client(db: None) -> Client:
    """A member of staff who may do everything to jobs."""
    return staff(*EVERYTHING)


def pressed(client: Client, door: str, name: str, job: Job) -> Any:
    """Press the button on the list, with the job ticked, or on the job's own page."""
    if door == "page":
        return client.post(ACT, {"do": name, "id": str(job.pk)})
    form = {"action": NAMES, "index": NAMES.index(name), "_selected_action": [str(job.pk)], "select_across": 0}
    return client.post(LIST, form)


@pytest.mark.parametrize("door", ["list", "page"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_button_in_every_situation(
    client: Client, make_job: MakeJob, situation: str, action: str, door: str
) -> None:
    job, told = job_in(make_job, situation), expected(situation, action)
    before = frozen(job)
    name, label = BUTTONS[action]
    asked = pressed(client, door, name, job)
    check_preview(asked, job, action)
    assert frozen(job) == before
    answer = client.post(ACT, {"do": name, "frozen": frozen_set(asked), "reason": "because"})
    assert (answer.status_code, answer.url) == (302, f"{LIST}{job.pk}/change/")
    assert (frozen(job) == before) == told.is_repeat
    assert status_of(job) == told.status
    said = [str(message) for message in get_messages(answer.wsgi_request)]
    if told.is_refused:
        with pytest.raises(Conflict) as refusal:
            SERVICES[action](job_id=job.pk)
        assert (refusal.value.code, said) == (told.code, [f"“{situation}”: {refusal.value.detail}"])
    else:
        assert said == [f"{label}: {sentence(job, situation, action)}"]
    if not told.is_repeat:
        event = JobEvent.objects.filter(job=job).order_by("id").last()
        assert (event.actor, event.reason, event.to_status) == ("staff-0", "because", told.status)


def check_preview(asked: Any, job: Job, action: str) -> None:
    """Demand the page that asks, with the exact number of items in each state and of what the job made."""
    assert asked.template_name == "quarry/confirm.html"
    preview = asked.context_data["preview"]
    numbers = [states(job).get(state.value, 0) for state in ItemState]
    headings = [state.value for state in ItemState]
    if action in ("cleanup", "delete", "delete_cleanup"):  # what was made is shown as well, and here that is nothing
        headings += [owner.name for owner in owners.in_delete_order()]
        numbers += [0] * len(owners.in_delete_order())
    assert (preview.headings, preview.totals) == (headings, numbers)
    assert preview.lines == [(job.label, job.status, numbers)]


def phrase(number: int) -> str:
    return "1 item" if number == 1 else f"{number} items"


def sentence(job: Job, situation: str, action: str) -> str:
    """Return what the page says afterwards, with the numbers of the ledger."""
    changed, items = expected(situation, action).changed, states(job)
    number = "1 job" if changed else "0 jobs"
    already = "" if changed else " 1 job needed no change."
    if action in ("cancel", "force"):
        skipped, flying, done, failed = (
            items.get(name, 0) if changed else 0 for name in ("skipped", "claimed", "done", "failed")
        )
        numbers = f"{phrase(skipped)} skipped, {flying} in flight, {done} already done, {failed} already failed."
        return f"{number}; {numbers}{already}"
    if action == "retry":
        return f"1 job; {phrase(items['pending'])} to retry."
    if action in ("pause", "resume"):
        return f"{number}.{already}"
    is_over = CELLS[situation, action] == "zeros"
    of_before = 2 if "clean" in situation and not is_over else 0  # what the cleanup's receipt says so far
    zeros = ", ".join(f"0 of 0 {kind} deleted" for kind in ("extractions", "passages", "vectors"))
    under_way = "" if is_over else " 1 job still under way; reload the page to see the result."
    return f"1 job; {of_before} of {of_before} sources deleted, {zeros}.{under_way}"


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_jobs_own_page_offers_what_would_change_something(client: Client, make_job: MakeJob, situation: str) -> None:
    """No button leads to a refusal, save that nothing failed: the page does not count for that."""
    job = job_in(make_job, situation)
    page = client.get(f"{LIST}{job.pk}/change/").content.decode()
    (form,) = re.findall(r'<form method="post" action="/admin/jobs/job/act/".*?</form>', page, re.DOTALL) or [""]
    offered = set(re.findall(r'name="do" value="([a-z_]+)"', form))
    assert not form or f'name="id" value="{job.pk}"' in form
    useful = {action for action in ACTIONS if expected(situation, action).changed}
    useful |= {action for action in ("cleanup", "retry") if CELLS[situation, action] in ("joins", "nothing_to_retry")}
    if status_in(situation) is not JobStatus.CANCELLING:
        useful -= {"force"}  # cancel comes first
    assert offered == {BUTTONS[action][0] for action in useful}
