"""`manage.py resume ID…`: resume paused jobs."""

from jobs.cli.status import StatusCommand
from jobs.control.pause import job_resume


class Command(StatusCommand):
    help = "Resume paused jobs."
    move = staticmethod(job_resume)
