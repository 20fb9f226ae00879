"""Every action on a job in every situation, over REST: status codes, problems, exact numbers, and waiting."""

import re
from collections import Counter
from typing import Any

import pytest
from django.utils import timezone

from jobs.api import cancel as cancel_api
from jobs.control import end, removal, removal_work
from jobs.models import Job, JobEvent, WorkItem
from jobs.registry import owners
from tests.helpers.api_client import Api, problem_of
from tests.helpers.empty_owners import empty_owners
from tests.helpers.factories import states
from tests.helpers.state_matrix import (
    ACTIONS,
    CELLS,
    NEXT_STEPS,
    SITUATIONS,
    Expected,
    MakeJob,
    expected,
    frozen,
    job_in,
)

pytestmark = pytest.mark.django_db

#: action → method, what follows the job's path, query.
REQUESTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "cancel": ("POST", "/cancel", {}),
    "force": ("POST", "/cancel", {"force": "true"}),
    "cleanup": ("POST", "/cleanup", {}),
    "delete": ("DELETE", "", {}),
    "delete_cleanup": ("DELETE", "", {"cleanup": "true"}),
    "retry": ("POST", "/retry", {}),
    "pause": ("POST", "/pause", {}),
    "resume": ("POST", "/resume", {}),
}
WAITING = [action for action in ACTIONS if action not in ("retry", "pause", "resume")]
CANCEL_NUMBERS = ("skipped", "in_flight", "done", "failed", "sources_to_cleanup")
REMOVED = ("sources_deleted", "extractions_deleted", "embeddings_deleted", "dlq_items_deleted")


@pytest.fixture(autouse=True)
def no_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jobs own nothing: what becomes of artifacts is told in test_removal.py."""
    monkeypatch.setattr(owners, "_owners", empty_owners())


def ask(api: Api, job: Job, action: str, *, wait: int = 0) -> Any:
    """Send the request; what can wait for workers does so for `wait` seconds."""
    method, path, query = REQUESTS[action]
    headers = {"Prefer": f"wait={wait}"} if action in WAITING else {}
    why = {"reason": "because"}
    if action in ("cleanup", "retry"):
        return api.send(method, f"/jobs/{job.pk}{path}", why, headers, **query)
    return api.send(method, f"/jobs/{job.pk}{path}", None, headers, **query, **why)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_request_in_every_situation(api: Api, make_job: MakeJob, situation: str, action: str) -> None:
    job, told = job_in(make_job, situation), expected(situation, action)
    before = frozen(job)
    reply = ask(api, job, action)
    assert (frozen(job) == before) == told.is_repeat
    if told.is_refused:
        problem = problem_of(reply, 409, told.code)
        assert problem["job_status"] == told.status
        assert re.search(NEXT_STEPS[told.code], problem["detail"])
    else:
        assert reply.status_code == told.http
        check_reply(job, action, reply.json(), told)
        assert reply.headers.get("Preference-Applied") == ("wait=0" if action in WAITING else None)
    assert api.get(f"/jobs/{job.pk}").json()["status"] == told.status
    if not told.is_repeat:
        event = JobEvent.objects.filter(job=job).order_by("id").last()
        assert (event.actor, event.reason) == ("chief", "because")


def check_reply(job: Job, action: str, body: dict[str, Any], told: Expected) -> None:
    """Compare what a reply says with the rows: every number is there, an integer, and exact."""
    assert (body["job_id"], body.get("changed", True)) == (str(job.pk), told.changed)
    assert body.get("status", told.status) == told.status
    assert body["message"].endswith(".")
    if action in ("cancel", "force"):
        assert exact(body, *CANCEL_NUMBERS) == cancel_numbers(job, told.changed)
    elif action == "retry":
        assert exact(body, "requeued") == [states(job)["pending"]]
    elif action not in ("pause", "resume"):
        check_removal(job, body, action)


def check_removal(job: Job, body: dict[str, Any], action: str) -> None:
    """Compare the receipt with the one on the job's row."""
    row = Job.objects.get(pk=job.pk)
    is_repeat_of_all = action == "cleanup" and row.cleaned_at is not None
    receipt = owners.nothing_removed() | ({} if is_repeat_of_all else row.removal)
    assert body["receipt"] == receipt
    assert {type(number) for kind in body["receipt"].values() for number in kind.values()} == {int}
    deleted = [receipt[kind]["deleted"] for kind in ("sources", "extractions", "vectors")]
    assert exact(body if action == "cleanup" else body["cleanup_stats"], *REMOVED) == [*deleted, 0]
    assert body["job_deleted" if action == "cleanup" else "deleted"] is False
    assert body["error"] is None


def exact(body: dict[str, Any], *names: str) -> list[int]:
    """Return these numbers; all must be there as integers."""
    numbers = [body[name] for name in names]
    assert {type(number) for number in numbers} == {int}
    return numbers


def cancel_numbers(job: Job, changed: bool) -> list[int]:
    """Return CANCEL_NUMBERS as the ledger has them."""
    items = Counter(states(job))
    return [items["skipped"] if changed else 0, items["claimed"], items["done"], items["failed"], 0]


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever a waiting request looks, all the workers have just done what there was to do."""

    def at_work(look: Any) -> Any:
        def looked(seen: Any) -> Any:
            flying = WorkItem.objects.filter(job_id=seen.job_id, state="claimed")
            flying.update(state="done", lease=None, lease_until=None, finished_at=timezone.now())
            end.job_end_if_done(seen.job_id)
            removal_work.removal_finish(seen.job_id)
            return look(seen)

        return looked

    monkeypatch.setattr(removal, "receipt_read", at_work(removal.receipt_read))
    monkeypatch.setattr(cancel_api, "cancel_read", at_work(cancel_api.cancel_read))


TO_BE_WAITED_FOR = [cell for cell in CELLS if cell[1] in WAITING and not expected(*cell).is_refused]


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize(("situation", "action"), TO_BE_WAITED_FOR)
def test_whoever_waits_is_told_the_end(api: Api, make_job: MakeJob, situation: str, action: str) -> None:
    job, told = job_in(make_job, situation), expected(situation, action)
    reply = ask(api, job, action, wait=20)
    body = reply.json()
    assert body.get("changed") == told.changed
    assert reply.headers["Preference-Applied"] == "wait=20"
    if action in ("cancel", "force"):
        is_deleting = situation == "deleting"  # nothing to wait for: nothing is in flight
        assert (reply.status_code, body["status"]) == ((202, "deleting") if is_deleting else (200, "cancelled"))
        assert exact(body, *CANCEL_NUMBERS) == cancel_numbers(job, told.changed)
        assert body["in_flight"] == 0
        return
    is_deleted = action != "cleanup"
    assert reply.status_code == 200
    assert body["deleted" if is_deleted else "job_deleted"] is is_deleted
    assert Job.objects.filter(pk=job.pk).exists() is not is_deleted
    if is_deleted:
        wanted = situation != "deleting" and (action == "delete_cleanup" or "clean" in situation)
        assert body["cleanup_performed"] is wanted  # what is being deleted without a cleanup gets none any more
        problem_of(ask(api, job, action), 404, "not_found")
    else:
        assert Job.objects.get(pk=job.pk).cleaned_at is not None
