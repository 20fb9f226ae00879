"""`manage.py pause ID…`: stop beginning items of jobs."""

from jobs.cli.status import StatusCommand
from jobs.control.pause import job_pause


class Command(StatusCommand):
    help = "Pause jobs: no more items are begun; what is in flight finishes."
    move = staticmethod(job_pause)
