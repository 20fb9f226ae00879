"""`manage.py resume ID…`: let paused jobs go on."""

from jobs.lifecycle import job_resume
from jobs.status_command import StatusCommand


class Command(StatusCommand):
    help = "Let paused jobs go on."
    move = staticmethod(job_resume)
