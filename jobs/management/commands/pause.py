"""`manage.py pause ID…`: stop beginning items of jobs."""

from jobs.lifecycle import job_pause
from jobs.status_command import StatusCommand


class Command(StatusCommand):
    help = "Pause jobs: no more items are begun; what is in flight finishes."
    move = staticmethod(job_pause)
