"""`manage.py resume ID`: let a paused job go on."""

from jobs.lifecycle import job_resume
from jobs.status_command import StatusCommand


class Command(StatusCommand):
    help = "Let a paused job go on."
    service = staticmethod(job_resume)
