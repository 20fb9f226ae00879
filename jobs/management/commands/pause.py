"""`manage.py pause ID`: stop beginning items of a job."""

from jobs.lifecycle import job_pause
from jobs.status_command import StatusCommand


class Command(StatusCommand):
    help = "Pause a job: no more items are begun; what is in flight finishes."
    service = staticmethod(job_pause)
