"""Every action on a job in every situation, through the commands: exit code, stderr, and one JSON object."""

import json
import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from jobs.models import Job, JobEvent
from tests.helpers.factories import status_of
from tests.helpers.state_matrix import ACTIONS, NEXT_STEPS, SITUATIONS, MakeJob, expected, frozen, job_in

pytestmark = pytest.mark.django_db

COMMANDS = {
    "cancel": ["cancel"],
    "force": ["cancel", "--force"],
    "cleanup": ["cleanup", "--detach"],
    "delete": ["delete", "--detach"],
    "delete_cleanup": ["delete", "--detach", "--cleanup"],
    "retry": ["retry", "--detach"],
    "pause": ["pause"],
    "resume": ["resume"],
}


def run(job: Job, action: str, *options: str) -> tuple[Any, str, str]:
    """Return the exit code, what went to stdout and what to stderr."""
    command, *own = COMMANDS[action]
    out, err = StringIO(), StringIO()
    code: Any = 0
    try:
        call_command(command, str(job.pk), *own, *options, stdout=out, stderr=err)
    except SystemExit as end:
        code = end.code
    return code, out.getvalue(), err.getvalue().strip()


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_command_in_every_situation(make_job: MakeJob, situation: str, action: str) -> None:
    """0 when it was done or was so already, 3 when it was refused; the sentence is on stderr, the code in the JSON."""
    job, told = job_in(make_job, situation), expected(situation, action)
    before = frozen(job)
    code, out, err = run(job, action, "--json", "--reason", "because")
    said = json.loads(out)
    assert (frozen(job) == before) == told.is_repeat
    assert status_of(job) == told.status
    if told.is_refused:
        assert (code, said["code"], said["status"]) == (3, told.code, told.status)
        assert err == said["error"]
        assert re.search(NEXT_STEPS[told.code], err)
        assert run(job, action) == (3, "", err)  # for people: the sentence, and nothing on stdout
        return
    assert (code, said["job_id"], err) == (0, str(job.pk), "")
    assert said.get("changed", True) == told.changed
    assert said.get("status", told.status) == told.status
    if not told.is_repeat:
        event = JobEvent.objects.filter(job=job).order_by("id").last()
        assert (event.actor.endswith("command)"), event.reason) == (True, "because")
