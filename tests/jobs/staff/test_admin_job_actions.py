"""What staff do to jobs in the admin: previewed, frozen, explained, counted; over Django's client."""

import re
from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.control.cancel import job_cancel
from jobs.errors import Unavailable
from jobs.models import Job, JobEvent, Lane, WorkItem, new_id
from jobs.registry import owners
from jobs.staff import confirmed_actions
from jobs.staff.jobs import JobAdmin
from jobs.states import JobStatus
from tests.helpers.factories import claimed, states, status_of
from tests.helpers.staff import ACT, EVERYTHING, LIST, choose, confirm, frozen, selected_columns, staff

pytestmark = pytest.mark.django_db

SHOWN_COLUMNS = (("id", "pk"), ("label", "label"), ("kind", "kind"), ("status", "status"))


@pytest.fixture
def everything(db: None) -> Client:
    """A member of staff who may do everything to jobs."""
    return staff(*EVERYTHING)


def test_choosing_an_action_selects_ids_only(everything: Client, make_job: Callable[..., Job]) -> None:
    jobs = [make_job(2, label=f"job {n}", payload={"bulk": "x" * 1000}) for n in range(3)]
    everything.get(LIST)
    names = [action.name for action in everything.get(LIST).context_data["cl"].model_admin.confirmed_actions]
    form = {"action": names, "index": names.index("cancel"), "_selected_action": [str(job.pk) for job in jobs]}
    with CaptureQueriesContext(connection) as queries:
        response = everything.post(LIST, form)
    assert response.template_name == "quarry/confirm.html"
    columns = selected_columns(queries, "jobs_job")
    loaded = {text for text in columns if not text.startswith("COUNT(*)")}
    few = ", ".join(f'"jobs_job"."{column}" AS "{name}"' for column, name in SHOWN_COLUMNS)
    assert loaded == {'"jobs_job"."id" AS "pk"', few}
    assert not [text for text in selected_columns(queries, "jobs_workitem") if '"key"' in text or '"data"' in text]


def test_confirming_selects_ids_only(everything: Client, make_job: Callable[..., Job]) -> None:
    job = make_job(2, status=JobStatus.PAUSED)
    token = frozen(choose(everything, "resume", job))
    with CaptureQueriesContext(connection) as queries:
        everything.post(ACT, {"do": "resume", "frozen": token, "reason": "go on"})
    whole_rows = [text for text in selected_columns(queries, "jobs_job") if '"result"' in text or '"error"' in text]
    assert whole_rows == []
    assert status_of(job) == "running"


def test_the_preview_has_exact_counts_per_job_and_in_total(everything: Client, make_job: Callable[..., Job]) -> None:
    first, second = make_job(5, label="first"), make_job(["a", "b"], label="second")
    claimed(2)
    preview = choose(everything, "cancel", first, second).context_data["preview"]
    assert preview.headings == ["pending", "claimed", "done", "failed", "skipped"]
    numbers = {name: counts for name, _, counts in preview.lines}
    assert sum(numbers["first"][:2]) == 5
    assert sum(numbers["second"][:2]) == 2
    assert preview.totals == [5, 2, 0, 0, 0]


def test_cancel_says_exact_numbers_and_keeps_the_reason(everything: Client, make_job: Callable[..., Job]) -> None:
    first, second = make_job(5), make_job(["a", "b"])
    token = frozen(choose(everything, "cancel", first, second))
    assert confirm(everything, "cancel", token, "wrong site") == [
        "Cancel: 2 jobs; 7 items skipped, 0 in flight, 0 already done, 0 already failed."
    ]
    assert states(first) == {"skipped": 5}
    assert {status_of(first), status_of(second)} == {"cancelled"}
    event = JobEvent.objects.get(job=first, action="cancel")
    assert (event.reason, event.actor) == ("wrong site", "staff-0")


def test_a_refusal_is_told_in_the_words_of_the_service(everything: Client, make_job: Callable[..., Job]) -> None:
    done, running = make_job(0, status=JobStatus.COMPLETED, label="done"), make_job(3)
    said = confirm(everything, "cancel", frozen(choose(everything, "cancel", done, running)))
    assert said == [
        "Cancel: 1 job; 3 items skipped, 0 in flight, 0 already done, 0 already failed.",
        "Cancel: refused for 1 of 2.",
        "“done”: The job has already finished with status completed; there is nothing to cancel."
        " Clean it up or delete it to remove what it made.",
    ]


def test_the_set_is_frozen_between_preview_and_confirmation(everything: Client, make_job: Callable[..., Job]) -> None:
    seen = make_job(2, label="x")
    token = frozen(choose(everything, "pause", seen, across=True))
    later = make_job(2, label="x")
    confirm(everything, "pause", token)
    assert (status_of(seen), status_of(later)) == ("paused", "running")


def test_a_set_belongs_to_its_action_and_its_person(everything: Client, make_job: Callable[..., Job]) -> None:
    job = make_job(2)
    token = frozen(choose(everything, "pause", job))
    for client, name in ((staff("view_job", "cancel_job"), "pause"), (everything, "cancel")):
        said = confirm(client, name, token)
        assert said == ["This confirmation has expired or belongs to another user; choose again. Nothing was changed."]
    assert confirm(everything, "pause", token[:-2] + "xx")[0].startswith("This confirmation has expired")
    assert status_of(job) == "running"


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_reason_must_be_typed(everything: Client, make_job: Callable[..., Job], reason: str) -> None:
    job = make_job(2)
    answer = everything.post(
        ACT, {"do": "cancel", "frozen": frozen(choose(everything, "cancel", job)), "reason": reason}
    )
    assert answer.status_code == 422
    assert "Enter a reason" in answer.content.decode()
    assert status_of(job) == "running"


def test_too_many_jobs_are_refused_before_anything_happens(
    everything: Client, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobAdmin, "max_selected", 1)
    jobs = [make_job(1), make_job(1)]
    answer = choose(everything, "cancel", *jobs)
    assert answer.status_code == 302
    said = [str(message) for message in everything.get(LIST).context["messages"]]
    assert said[0].startswith("At most 1 jobs can be confirmed at once; narrow the list")
    assert {status_of(job) for job in jobs} == {"running"}


def test_actions_are_post_only(everything: Client, make_job: Callable[..., Job]) -> None:
    job = make_job(1)
    assert everything.get(ACT, {"do": "cancel", "id": str(job.pk)}).status_code == 405
    assert everything.post(f"{LIST}{job.pk}/change/").status_code == 405
    assert status_of(job) == "running"


def test_unknown_actions_and_malformed_ids_are_404(everything: Client) -> None:
    assert everything.post(ACT, {"do": "explode", "id": "x"}).status_code == 404
    assert everything.post(ACT, {"do": "cancel", "id": "no-uuid"}).status_code == 404


@pytest.mark.parametrize(
    ("held", "offered"),
    [
        ((), set()),
        (("cancel_job",), {"pause", "cancel"}),
        (("delete_job",), set()),
        (("delete_job", "cleanup_job"), {"delete"}),
    ],
)
def test_buttons_and_actions_follow_the_permissions(
    make_job: Callable[..., Job], held: tuple[str, ...], offered: set[str]
) -> None:
    job = make_job(2)
    client = staff("view_job", *held)
    page = client.get(f"{LIST}{job.pk}/change/")
    assert {action.name for action in page.context_data["actions"]} == offered
    for name in ("pause", "resume", "cancel", "force", "retry", "cleanup", "delete", "delete_keep"):
        answer = client.post(ACT, {"do": name, "id": str(job.pk)})
        allowed = {"cancel_job": {"pause", "resume", "cancel", "force"}, "delete_job": {"delete_keep"}}
        may = set().union(*(allowed.get(codename, set()) for codename in held)) | offered
        if "cleanup_job" in held:
            may |= {"cleanup"}
        assert answer.status_code == (200 if name in may else 403), name
    assert status_of(job) == "running"


def test_retry_and_delete_reach_their_services(everything: Client, make_job: Callable[..., Job]) -> None:
    job = make_job(3)
    job_cancel(job_id=job.pk)
    assert confirm(everything, "retry", frozen(choose(everything, "retry", job))) == ["Retry: 1 job; 3 items to retry."]
    assert states(job) == {"pending": 3}
    said = confirm(everything, "cleanup", frozen(choose(everything, "cleanup", job)))
    assert "it can be cleaned up" in said[0]


def test_a_form_of_all_ids_stays_small(make_job: Callable[..., Job]) -> None:
    ids = [str(new_id()) for _ in range(confirmed_actions.MAX_SELECTED)]
    token = signing.dumps({"ids": ids}, salt=confirmed_actions.SALT, compress=True)
    assert len(token) < 60_000


class Shelf:
    """An owner whose store holds two things of every job, or does not answer."""

    name, rank = "things", 10

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers

    def count(self, job_ids: Sequence[UUID]) -> int:
        """Return two for each job. Raises: Unavailable."""
        if not self.answers:
            raise Unavailable("The shelf does not answer; look at it.")
        return 2 * len(job_ids)

    def delete(self, job_ids: Sequence[UUID]) -> owners.Removed:
        """Delete nothing: these tests only look."""
        return owners.Removed()


def test_what_deletes_shows_what_the_stores_hold(
    everything: Client, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "_owners", {"things": Shelf()})
    jobs = [make_job(1, label="first"), make_job(3, label="second")]
    for name in ("cleanup", "delete", "delete_keep"):
        preview = choose(everything, name, *jobs).context_data["preview"]
        assert preview.headings[-1] == "things"
        assert {line[0]: line[2][-1] for line in preview.lines} == {"first": 2, "second": 2}
        assert preview.totals == [4, 0, 0, 0, 0, 4]
    assert choose(everything, "cancel", *jobs).context_data["preview"].headings[-1] == "skipped"


def test_a_store_that_does_not_answer_is_said_and_hides_no_other_number(
    everything: Client, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "_owners", {"things": Shelf(answers=False)})
    answer = choose(everything, "delete", make_job(3))
    assert answer.context_data["preview"].totals == [3, 0, 0, 0, 0]
    assert "The shelf does not answer; look at it." in answer.content.decode()


def failed(job: Job, key: str, reason: str, lane: str) -> None:
    """Let the item have failed for this reason, in this lane."""
    row, _ = Lane.objects.get_or_create(key=lane)
    ended = {"state": "failed", "reason": reason, "finished_at": timezone.now(), "lane": row}
    WorkItem.objects.filter(job=job, key=key).update(**ended)


def three_failures(make_job: Callable[..., Job]) -> Job:
    job = make_job(4, status=JobStatus.COMPLETED)
    WorkItem.objects.filter(job=job).update(state="done", finished_at=timezone.now())
    failed(job, "item-0", "timeout", "host:a.test")
    failed(job, "item-1", "timeout", "host:b.test")
    failed(job, "item-2", "http_5xx", "host:b.test")
    return job


@pytest.mark.parametrize(
    ("ticked", "requeued"),
    [
        ({}, {"item-0", "item-1", "item-2"}),
        ({"reasons": ["timeout"]}, {"item-0", "item-1"}),
        ({"hosts": ["b.test"]}, {"item-1", "item-2"}),
        ({"reasons": ["timeout"], "hosts": ["b.test"]}, {"item-1"}),
        ({"reasons": ["timeout", "http_5xx"], "hosts": ["a.test", "b.test"]}, {"item-0", "item-1", "item-2"}),
    ],
)
def test_what_is_retried_can_be_ticked(
    everything: Client, make_job: Callable[..., Job], ticked: dict[str, list[str]], requeued: set[str]
) -> None:
    job = three_failures(make_job)
    asked = choose(everything, "retry", job)
    offered = {group.name: group.options for group, _ in asked.context_data["choices"]}
    assert offered == {"reasons": [("timeout", 2), ("http_5xx", 1)], "hosts": [("b.test", 2), ("a.test", 1)]}
    unexplained = everything.post(ACT, {"do": "retry", "frozen": frozen(asked), "reason": "", **ticked})
    assert unexplained.status_code == 422
    checked = re.findall(r'value="([^"]+)" checked', unexplained.content.decode())
    assert sorted(checked) == sorted(value for values in ticked.values() for value in values)
    everything.post(ACT, {"do": "retry", "frozen": frozen(asked), "reason": "the host is back", **ticked})
    assert set(WorkItem.objects.filter(job=job, state="pending").values_list("key", flat=True)) == requeued


def test_a_choice_that_was_never_offered_is_refused(everything: Client, make_job: Callable[..., Job]) -> None:
    job = three_failures(make_job)
    form = {"do": "retry", "frozen": frozen(choose(everything, "retry", job)), "reason": "because"}
    told = everything.post(ACT, {**form, "reasons": ["nonsense"]}, follow=True)
    assert "Unknown reason: nonsense" in str(next(iter(told.context["messages"])))
    assert status_of(job) == "completed"


def test_what_a_cancel_skipped_is_offered_of_a_cancelled_job_only(
    everything: Client, make_job: Callable[..., Job]
) -> None:
    jobs = [make_job(2, status=status) for status in (JobStatus.CANCELLED, JobStatus.COMPLETED)]
    for job in jobs:
        skipped = {"state": "skipped", "reason": "cancelled", "finished_at": timezone.now()}
        WorkItem.objects.filter(job=job).update(**skipped)
    offered = [choose(everything, "retry", job).context_data["choices"][0][0].options for job in jobs]
    assert offered == [[("cancelled", 2)], []]
