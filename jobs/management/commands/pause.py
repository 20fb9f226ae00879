"""`manage.py pause ID…`: pause jobs."""

from jobs.cli.status import StatusCommand
from jobs.control.pause import job_pause


class Command(StatusCommand):
    help = "Pause jobs: no more items are started; items in flight finish."
    move = staticmethod(job_pause)
