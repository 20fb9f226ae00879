"""`manage.py jobs [ID]`: list jobs, or show one with its counts and history."""

from typing import Any

from django.core.management.base import CommandParser

from jobs.cli import follow
from jobs.cli.arguments import job_id_parsed
from jobs.cli.base import QuarryCommand
from jobs.cli.start import summary_lines
from jobs.queries import listing
from jobs.registry import kinds
from jobs.states import JobStatus

EVENT_COLUMNS = ("at", "actor", "action", "from_status", "to_status", "reason", "counts")
JOB_COLUMNS = ("pk", "kind", "status", "label", "created_at")


class Command(QuarryCommand):
    help = "List the newest jobs, or show one job with its counts and history."

    def arguments(self, parser: CommandParser) -> None:
        """Add an id and the filters."""
        parser.add_argument("job_id", nargs="?", help="show this job")
        parser.add_argument(
            "--status", choices=[status.value for status in JobStatus], help="only jobs with this status"
        )
        parser.add_argument("--limit", type=int, default=20, metavar="N", help="list at most N jobs (default: 20)")

    def run(self, **options: Any) -> int:
        """Print one job or the list; return 0."""
        if options["job_id"]:
            self._show(options["job_id"])
        else:
            self._list(options["status"], max(1, options["limit"]))
        return 0

    def _show(self, text: str) -> None:
        job_id = job_id_parsed(text)
        summary = follow.job_summary(job_id)
        events = [{name: getattr(event, name) for name in EVENT_COLUMNS} for event in listing.events_of(job_id)]
        if self.as_json:
            self.print_json({**summary, "events": events})
            return
        self.stdout.write("\n".join(summary_lines(summary)))
        for event in events:
            who = f" by {event['actor']}" if event["actor"] else ""
            self.stdout.write(f"  {event['at']:%Y-%m-%d %H:%M:%S} {event['action']}{who} → {event['to_status']}")

    def _list(self, status: str | None, limit: int) -> None:
        page = listing.jobs_page(limit=limit, status=JobStatus(status) if status else None)
        listed = [{name: getattr(job, name) for name in JOB_COLUMNS} for job in page.rows]
        if self.as_json:
            self.print_json({"jobs": [{"job_id": row["pk"], "type": row["kind"], **row} for row in listed]})
            return
        if not listed:
            starts = " or ".join(f"manage.py {name}" for name in kinds.names())
            self.stdout.write(f"No jobs to list. Start one with {starts}.")
        for row in listed:
            self.stdout.write(
                f"{row['pk']}  {row['status']:10} {row['kind']:8} {row['created_at']:%Y-%m-%d %H:%M}  {row['label']}"
            )
