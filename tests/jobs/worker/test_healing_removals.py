"""Which unfinished cleanups and deletes healing sends again when there are more than fit one round."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Job
from jobs.states import JobStatus
from jobs.worker import healing

pytestmark = pytest.mark.django_db
ROUNDS = 200  # of two jobs, one is missed in all of these once in 2 to the power of 199


def test_removals_that_fail_again_and_again_keep_none_waiting(
    make_job: Callable[..., Job], sent: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    """None of them ever gets done: in some round each is sent all the same."""
    monkeypatch.setattr(healing, "MAX_REMOVALS", 1)
    jobs = {str(make_job(status=JobStatus.COMPLETED, cleanup_requested_at=timezone.now()).pk) for _ in range(2)}
    picked: set[str] = set()
    for _ in range(ROUNDS):
        sent.messages.clear()
        with django_capture_on_commit_callbacks(execute=True):
            assert healing.removals_rewake() == 1
        ((_, (job_id,), _),) = sent.messages
        picked.add(job_id)
        if picked == jobs:
            break
    assert picked == jobs
