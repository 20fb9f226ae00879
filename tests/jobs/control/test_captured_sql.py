"""Captured SQL: actions select ids only, nothing bulky is read to be deleted, and statements do not multiply."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from jobs.control import removal, removal_work
from jobs.models import Job, Project, WorkItem
from jobs.queries import tallies
from jobs.staff import job_actions
from tests.helpers.captured_sql import captured, too_much
from tests.helpers.made_jobs import crawled, extracted, is_gone, points, rows_left, source_ids, vectors_caught_up
from tests.helpers.staff import ACT, EVERYTHING, LIST, frozen, staff
from tests.helpers.state_matrix import MakeJob, job_in

BULK = {"urls": ["http://h.test/"] * 1000}
#: action → the situation in which it has most to do.
BUSIEST = {
    "pause": "running",
    "resume": "paused",
    "cancel": "running_busy",
    "force": "cancelling",
    "retry": "cancelled",
    "cleanup": "completed",
    "delete": "paused",
    "delete_keep": "completed",
}
NAMES = [action.name for action in job_actions.JOB_ACTIONS]
Captured = tuple[list[str], list[str]]


@pytest.fixture(autouse=True)
def nothing_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no page wait for an actor that does not come: polling would be counted."""
    monkeypatch.setattr(job_actions, "REMOVAL_WAIT_SECONDS", 0.0)


@pytest.fixture
def act(db: None, make_job: MakeJob) -> Callable[..., Captured]:
    """Return a function that does an action to new bulky jobs: the statements of its preview and its confirmation."""
    client: Client = staff(*EVERYTHING)

    def acted(name: str, *, jobs: int = 1, items: int = 0) -> Captured:
        made = [bulky_job(make_job, BUSIEST[name], items) for _ in range(jobs)]
        ids = [str(job.pk) for job in made]
        form = {"action": NAMES, "index": NAMES.index(name), "_selected_action": ids, "select_across": 0}
        answers: list[Any] = []
        asked = captured(lambda: answers.append(client.post(LIST, form)))
        confirmed = {"do": name, "frozen": frozen(answers[0]), "reason": "because"}
        done = captured(lambda: answers.append(client.post(ACT, confirmed)))
        assert Job.objects.filter(pk__in=ids).exclude(events__reason="because").count() == 0
        return asked, done

    return acted


def bulky_job(make_job: MakeJob, situation: str, items: int) -> Job:
    """Return a job in the situation, with so many more items, and all its columns and theirs full."""
    job = job_in(make_job, situation)
    rows = WorkItem.objects.filter(job=job)
    pattern = rows.order_by("-key").first()
    assert pattern is not None
    fields = {"lane_id": pattern.lane_id, "state": pattern.state, "finished_at": pattern.finished_at}
    WorkItem.objects.bulk_create([WorkItem(job=job, key=f"more-{n}", **fields) for n in range(items)])
    rows.update(data=BULK, result=BULK)
    result = {"result": BULK} if job.is_finished else {}
    Job.objects.filter(pk=job.pk).update(payload=BULK, error="x" * 1000, **result)
    return job


@pytest.mark.parametrize("name", NAMES)
def test_an_action_selects_ids_only(act: Callable[..., Captured], name: str) -> None:
    asked, done = act(name, jobs=2)
    assert too_much(asked) == []
    assert too_much(done) == []
    assert [sql for sql in done if sql.startswith("DELETE") and "django_" not in sql] == []  # the actor deletes


@pytest.mark.parametrize("name", NAMES)
def test_a_preview_takes_as_many_statements_for_many_jobs(
    act: Callable[..., Captured], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Artifacts are counted job by job for the first few only; of more, all together."""
    monkeypatch.setattr(tallies, "ARTIFACTS_PER_JOB", 2)
    few, _ = act(name, jobs=3)
    many, _ = act(name, jobs=9)
    assert len(many) == len(few)


@pytest.mark.parametrize("name", NAMES)
def test_a_confirmation_takes_as_many_statements_for_each_job(act: Callable[..., Captured], name: str) -> None:
    """The service is called job by job: the first two settle what happens once."""
    two, three, six = (len(act(name, jobs=jobs)[1]) for jobs in (2, 3, 6))
    each = three - two
    assert (six - three, 0 < each <= 25) == (3 * each, True)


@pytest.mark.parametrize("name", NAMES)
def test_items_cost_no_statement(act: Callable[..., Captured], name: str) -> None:
    few, many = act(name), act(name, items=200)
    assert [len(statements) for statements in many] == [len(statements) for statements in few]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ('SELECT "jobs_job"."id" AS "pk", COUNT(*) AS "number" FROM "jobs_job" WHERE "jobs_job"."payload" = 1', []),
        ("SELECT EXISTS (SELECT 1 FROM jobs_workitem WHERE data = 'x')", []),
        ('SELECT "jobs_job"."id", "jobs_job"."payload" AS "id" FROM "jobs_job"', ["payload"]),
        ("SELECT count(*), s.* FROM crawling_source s", ["*"]),
        ("SELECT id FROM jobs_job WHERE id IN (SELECT (data ->> 'a')::uuid FROM jobs_workitem)", ["data", "uuid"]),
        ("UPDATE jobs_workitem SET state = 'done' RETURNING id, result", ["result"]),
        ("WITH gone AS (DELETE FROM crawling_source RETURNING body) SELECT id FROM gone", ["body"]),
        ("SELECT * FROM auth_user", []),
    ],
)
def test_what_is_read_is_seen(sql: str, names: list[str]) -> None:
    assert [name for name, _ in too_much([sql])] == names


GONE = {"holds": 0, "sources": 0, "contents": 0, "passages": 0, "extractions": 0}


@pytest.fixture
def of_pages(project: Project, store: Any) -> Callable[[int], Job]:
    """Return a function that makes a crawl of so many pages, all of them extracted and in the vector store."""

    def make(pages: int) -> Job:
        job = crawled(project, *(f"/{n}" for n in range(pages)))
        extracted(project, source_ids(project).values())
        Job.objects.filter(pk=job.pk).update(payload=BULK, result=BULK)
        WorkItem.objects.filter(job=job).update(data=BULK, result=BULK)
        vectors_caught_up()
        return job

    return make


def ask_cleanup(job: Job) -> None:
    removal.job_cleanup(job_id=job.pk)


def ask_delete(job: Job) -> None:
    removal.job_delete(job_id=job.pk, cleanup=True)


def ask_delete_keep(job: Job) -> None:
    removal.job_delete(job_id=job.pk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ask", [ask_cleanup, ask_delete, ask_delete_keep])
def test_removing_reads_ids_only_and_never_row_by_row(
    of_pages: Callable[[int], Job], ask: Callable[[Job], None]
) -> None:
    """From the request to the last row, outbox included; within a chunk more pages take no more statements."""
    sent = []
    for pages in (5, 50):
        job = of_pages(pages)
        statements = captured(lambda job=job: (ask(job), removal_work.removal_finish(job.pk)))
        assert too_much(statements) == []
        deletes = [sql for sql in statements if "DELETE FROM" in sql]
        assert 0 < len(deletes) < 20
        sent.append(len(statements))
        if ask is not ask_delete_keep:
            assert (rows_left(), points()) == (GONE, 0)
        assert is_gone(job) == (ask is not ask_cleanup)
    assert abs(sent[1] - sent[0]) < 5  # a drainer that was slow prolongs its lease once
