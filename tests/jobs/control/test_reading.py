"""How far one walks through the files to read a cancel, or the end of a removal: bounds that keep them together."""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.api.keys import key_create
from jobs.control.cancel import job_cancel
from jobs.control.removal import job_delete
from jobs.control.removal_work import removal_finish
from jobs.models import Job
from tests.helpers.api_client import Api

ROOT = Path(__file__).resolve().parents[3]
APPS = ("jobs", "crawling", "extraction")
#: What Django calls by itself, nobody reads on the way: the lookup `any`.
BESIDE_THE_WAY = {"jobs/postgres/id_arrays.py"}
#: The drain is a story of its own: finishing a removal only waits for it.
OTHER_STORIES = ("extraction/vectors/",)

pytestmark = pytest.mark.django_db(transaction=True)


def files_read(work: Callable[[], Any], *, first: str) -> list[str]:
    """Return the file of each function of ours that `work` enters for the first time, from the function `first` on."""
    entered: list[tuple[str, str]] = []

    def enter(frame: Any, event: str, argument: Any) -> None:
        path, name = Path(frame.f_code.co_filename), frame.f_code.co_name
        if event != "call" or name.startswith("<") or ROOT not in path.parents:
            return
        file = path.relative_to(ROOT).as_posix()
        is_ours = file.startswith(APPS) and file not in BESIDE_THE_WAY and not file.startswith(OTHER_STORIES)
        if is_ours and (entered or name == first) and (file, name) not in entered:
            entered.append((file, name))

    sys.setprofile(enter)
    try:
        work()
    finally:
        sys.setprofile(None)
    return [file for file, _ in entered]


def switches(files: list[str]) -> int:
    """Return how often the next function is in another file."""
    return sum(one != other for one, other in itertools.pairwise(files))


def test_a_cancel_reads_in_few_files(make_job: Callable[..., Job]) -> None:
    User.objects.create_superuser("reader")
    api = Api(key_create(username="reader", name="test"))
    api.post(f"/jobs/{make_job(1).pk}/cancel")  # what only the first request loads is not on the way
    job = make_job(5)
    files = files_read(lambda: api.post(f"/jobs/{job.pk}/cancel"), first="cancel_job")
    assert len(set(files)) <= 8, sorted(set(files))
    assert switches(files) <= 14, files


def test_finishing_a_removal_reads_in_few_files(make_job: Callable[..., Job]) -> None:
    for job in (make_job(1), make_job(5)):
        job_cancel(job_id=job.pk)
        job_delete(job_id=job.pk, cleanup=True)
        files = files_read(lambda job=job: removal_finish(job.pk), first="removal_finish")
    assert len(set(files)) <= 10, sorted(set(files))
