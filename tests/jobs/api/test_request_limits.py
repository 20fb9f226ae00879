"""The largest request about jobs is served; one that asks for one more of anything is refused."""

from collections.abc import Callable
from uuid import UUID

import pytest

from jobs.api.schemas import MAX_ITEMS, MAX_JOBS_PER_PAGE, MAX_OFFSET, MAX_REASON_CHARACTERS
from jobs.api.schemas_removal import MAX_HOSTS
from jobs.control import bulk
from jobs.control.cancel import job_cancel
from jobs.models import KEY_MAX_CHARACTERS, Job
from tests.helpers.api_client import Api, problem_of
from tests.helpers.factories import status_of


@pytest.mark.parametrize(
    ("path", "name", "most"),
    [
        ("/jobs", "limit", MAX_JOBS_PER_PAGE),
        ("/jobs", "offset", MAX_OFFSET),
        ("/jobs/{job}/items", "limit", MAX_ITEMS),
        ("/jobs/{job}/events", "limit", MAX_ITEMS),
    ],
)
def test_numbers_in_a_query(api: Api, make_job: Callable[..., Job], path: str, name: str, most: int) -> None:
    path = path.format(job=make_job(1).pk)
    assert api.get(path, **{name: most}).status_code == 200
    problem = problem_of(api.get(path, **{name: most + 1}), 422)
    assert problem["detail"] == f"{name} must be less than or equal to {most}."


def test_the_reason_of_a_pause(api: Api, make_job: Callable[..., Job]) -> None:
    job = make_job(1)
    longest = "x" * MAX_REASON_CHARACTERS
    assert problem_of(api.post(f"/jobs/{job.pk}/pause?reason={longest}x"), 422)["detail"].startswith("reason ")
    assert status_of(job) == "running"
    assert api.post(f"/jobs/{job.pk}/pause?reason={longest}").status_code == 200
    assert job.events.get(action="pause").reason == longest


def test_the_hosts_of_a_retry(api: Api, make_job: Callable[..., Job]) -> None:
    job = make_job(1)
    job_cancel(job_id=job.pk)
    hosts = [f"{number}.test" for number in range(MAX_HOSTS + 1)]
    assert problem_of(api.post(f"/jobs/{job.pk}/retry", {"hosts": hosts}), 422)["detail"].startswith("hosts ")
    problem = problem_of(api.post(f"/jobs/{job.pk}/retry", {"hosts": hosts[:MAX_HOSTS]}), 409)
    assert problem["code"] == "nothing_to_retry"


def test_the_ids_of_many_jobs(api: Api, make_job: Callable[..., Job]) -> None:
    ids = [str(make_job(1).pk), *(str(UUID(int=number)) for number in range(bulk.MAX_JOBS_PER_ACTION))]
    problem = problem_of(api.post("/jobs/bulk/cancel", {"job_ids": ids, "dry_run": True}), 422)
    assert problem["detail"].startswith("job_ids ")
    reply = api.post("/jobs/bulk/cancel", {"job_ids": ids[: bulk.MAX_JOBS_PER_ACTION], "dry_run": True})
    assert reply.status_code == 200


def test_a_key_to_go_on_after(api: Api, make_job: Callable[..., Job]) -> None:
    path = f"/jobs/{make_job(1).pk}/items"
    assert api.get(path, after="i" * KEY_MAX_CHARACTERS).json()["items"] != []
    assert problem_of(api.get(path, after="i" * (KEY_MAX_CHARACTERS + 1)), 422)["detail"].startswith("after ")
