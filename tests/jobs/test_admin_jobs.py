"""The admin's pages of jobs and their actions, over Django's client on the real database."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from jobs import confirmed_actions, lifecycle
from jobs.models import Job, JobEvent, Project
from jobs.states import JobStatus
from tests.factories import claimed, states, status_of

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/job/"
ACT = "/admin/jobs/job/act/"
BULKY = ("payload", "result", "error", "removal")


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Return a function that logs in a member of staff with the permissions named."""

    def make(*codenames: str) -> Client:
        user = User.objects.create_user(f"staff-{User.objects.count()}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def everything(staff: Callable[..., Client]) -> Client:
    """A member of staff who may do everything to jobs."""
    return staff("view_job", "cancel_job", "retry_job", "cleanup_job", "delete_job")


def choose(client: Client, name: str, *jobs: Job, across: bool = False) -> Any:
    """Press the button of an action on the list, with these jobs ticked."""
    page = client.get(LIST).content.decode()
    names = re.findall(r'<input type="hidden" name="action" value="([a-z_]+)"', page)
    form = {"action": names, "index": names.index(name), "_selected_action": [str(job.pk) for job in jobs]}
    return client.post(LIST, form | {"select_across": int(across)})


def frozen(response: Any) -> str:
    """Return the signed set of ids of a confirmation."""
    assert response.status_code == 200, response
    return str(response.context_data["frozen"])


def confirm(client: Client, name: str, token: str, reason: str = "because") -> list[str]:
    """Confirm; return what the page then says."""
    answer = client.post(ACT, {"do": name, "frozen": token, "reason": reason}, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def selected_columns(queries: CaptureQueriesContext, table: str) -> list[str]:
    """Return what each SELECT from the table asks for."""
    statements = [query["sql"] for query in queries.captured_queries]
    wanted = [re.search(rf'^SELECT (.*?) FROM "{table}"', sql, re.DOTALL) for sql in statements]
    return [match[1] for match in wanted if match]


def test_the_list_shows_status_progress_and_no_bulk(everything: Client, make_job: Callable[..., Job]) -> None:
    job = make_job(3, label="<b>docs</b>", payload={"secret": "bulk"})
    with CaptureQueriesContext(connection, ) as queries:
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


def test_choosing_an_action_selects_ids_only(everything: Client, make_job: Callable[..., Job]) -> None:
    jobs = [make_job(2, label=f"job {n}", payload={"bulk": "x" * 1000}) for n in range(3)]
    everything.get(LIST)
    names = [action.name for action in everything.get(LIST).context_data["cl"].model_admin.confirmed_actions]
    form = {"action": names, "index": names.index("cancel"), "_selected_action": [str(job.pk) for job in jobs]}
    with CaptureQueriesContext(connection) as queries:
        response = everything.post(LIST, form)
    assert response.template_name == "quarry/confirm.html"
    columns = selected_columns(queries, "jobs_job")
    assert '"jobs_job"."id" AS "pk"' in columns or '"jobs_job"."id"' in columns, columns
    assert not [text for text in columns for name in BULKY if f'"{name}"' in text], columns
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
        "Cancel: 2 jobs; 7 items skipped, 0 in flight, 0 done before, 0 failed before."
    ]
    assert states(first) == {"skipped": 5}
    assert {status_of(first), status_of(second)} == {"cancelled"}
    event = JobEvent.objects.get(job=first, action="cancel")
    assert (event.reason, event.actor) == ("wrong site", "staff-0")


def test_a_refusal_is_told_in_the_words_of_the_service(everything: Client, make_job: Callable[..., Job]) -> None:
    done, running = make_job(0, status=JobStatus.COMPLETED, label="done"), make_job(3)
    said = confirm(everything, "cancel", frozen(choose(everything, "cancel", done, running)))
    assert said == [
        "Cancel: 1 job; 3 items skipped, 0 in flight, 0 done before, 0 failed before.",
        "Cancel: refused for 1 of 2.",
        "done: The job has already finished as completed; there is nothing to cancel."
        " Clean it up or delete it to remove what it made.",
    ]


def test_the_set_is_frozen_between_preview_and_confirmation(everything: Client, make_job: Callable[..., Job]) -> None:
    seen = make_job(2, label="x")
    token = frozen(choose(everything, "pause", seen, across=True))
    later = make_job(2, label="x")
    confirm(everything, "pause", token)
    assert (status_of(seen), status_of(later)) == ("paused", "running")


def test_a_set_belongs_to_its_action_and_its_person(
    everything: Client, staff: Callable[..., Client], make_job: Callable[..., Job]
) -> None:
    job = make_job(2)
    token = frozen(choose(everything, "pause", job))
    for client, name in ((staff("view_job", "cancel_job"), "pause"), (everything, "cancel")):
        said = confirm(client, name, token)
        assert said == ["This confirmation has expired or belongs to somebody else; choose again. Nothing was changed."]
    assert confirm(everything, "pause", token[:-2] + "xx")[0].startswith("This confirmation has expired")
    assert status_of(job) == "running"


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_reason_must_be_typed(everything: Client, make_job: Callable[..., Job], reason: str) -> None:
    job = make_job(2)
    answer = everything.post(ACT, {"do": "cancel", "frozen": frozen(choose(everything, "cancel", job)), "reason": reason})
    assert answer.status_code == 422
    assert "Type why" in answer.content.decode()
    assert status_of(job) == "running"


def test_too_many_jobs_are_refused_before_anything_happens(
    everything: Client, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.admin_jobs import JobAdmin

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
    staff: Callable[..., Client], make_job: Callable[..., Job], held: tuple[str, ...], offered: set[str]
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


def test_nobody_without_the_permission_sees_jobs(staff: Callable[..., Client], make_job: Callable[..., Job]) -> None:
    job = make_job(1)
    assert staff("cancel_job").get(LIST).status_code == 403
    assert staff("cancel_job").get(f"{LIST}{job.pk}/change/").status_code == 403


def test_the_page_of_a_job_tells_everything(everything: Client, make_job: Callable[..., Job]) -> None:
    job = make_job(4, label="<script>alert(1)</script>", payload={"url": "</pre><script>x</script>"})
    claimed(1)
    lifecycle.job_pause(job_id=job.pk, actor="mona", reason="<i>night</i>")
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


def test_retry_and_delete_reach_their_services(everything: Client, make_job: Callable[..., Job]) -> None:
    job = make_job(3)
    lifecycle.job_cancel(job_id=job.pk)
    assert confirm(everything, "retry", frozen(choose(everything, "retry", job))) == [
        "Retry: 1 job; 3 items are pending again."
    ]
    assert states(job) == {"pending": 3}
    said = confirm(everything, "cleanup", frozen(choose(everything, "cleanup", job)))
    assert "it can be cleaned up" in said[0]


def test_a_form_of_all_ids_stays_small(make_job: Callable[..., Job]) -> None:
    from django.core import signing

    from jobs.models import new_id

    ids = [str(new_id()) for _ in range(confirmed_actions.MAX_SELECTED)]
    token = signing.dumps({"ids": ids}, salt=confirmed_actions.SALT, compress=True)
    assert len(token) < 60_000
