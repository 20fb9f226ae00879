"""`manage.py resume ID…`: let paused jobs go on."""

from jobs.cli.status import StatusCommand
from jobs.control.pause import job_resume


class Command(StatusCommand):
    help = "Let paused jobs go on."
    move = staticmethod(job_resume)
