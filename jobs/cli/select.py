"""What the commands that act on jobs share: one job gets its own receipt, many jobs get one result each.

Many jobs are chosen by their ids, or by conditions that must all be met, as in the bulk calls of REST.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from jobs.cli.arguments import job_id_parsed
from jobs.cli.base import EXIT_FAILED, EXIT_REFUSED
from jobs.cli.start import JobCommand
from jobs.control import bulk
from jobs.control.bulk import BulkResult, JobOutcome
from jobs.control.projects import project_named
from jobs.errors import Invalid
from jobs.registry import kinds
from jobs.states import JobStatus

CONDITIONS = ("type", "status", "project", "created_after", "created_before")


class JobsCommand(JobCommand):
    """A command that does one thing to one job or to many. Subclasses define `run_one` and `service`."""

    def arguments(self, parser: CommandParser) -> None:
        """Add ids or conditions, and the reason."""
        parser.add_argument("job_ids", nargs="*", metavar="ID", help="ids of the jobs, unless conditions choose them")
        parser.add_argument("--reason", default="", help="why; kept in the job's history")
        many = parser.add_argument_group(
            "many jobs", f"all jobs that meet these conditions, {bulk.MAX_JOBS_PER_ACTION:,} at most"
        )
        many.add_argument("--type", metavar="TYPE", help="only jobs of this type: " + " or ".join(kinds.names()))
        many.add_argument(
            "--status",
            choices=[status.value for status in JobStatus],
            metavar="STATUS",
            help="only jobs with this status",
        )
        many.add_argument("--project", metavar="NAME", help="only jobs of this project")
        many.add_argument("--created-after", metavar="TIME", help="a time such as 2026-03-01; UTC without a time zone")
        many.add_argument("--created-before", metavar="TIME", help="likewise")
        many.add_argument("--dry-run", action="store_true", help="change nothing; show which jobs these are")
        self.own_arguments(parser)

    def own_arguments(self, parser: CommandParser) -> None:
        """Add what only this command takes."""

    def run(self, **options: Any) -> int:
        """Act on the one job, or on each of many; return the exit code."""
        texts: list[str] = options["job_ids"]
        conditions = {name: options[name] for name in CONDITIONS if options[name] is not None}
        if bool(texts) == bool(conditions):
            raise Invalid("Choose jobs either by their ids or by conditions such as --status, not by both.")
        if len(texts) == 1 and not options["dry_run"]:
            return self.run_one(job_id_parsed(texts[0]), **options)
        job_ids = list(dict.fromkeys(map(job_id_parsed, texts))) if texts else _matched(conditions)
        if options["dry_run"]:
            return self._show(bulk.jobs_listed(job_ids, with_artifacts=False)[0])
        outcomes = bulk.jobs_each(job_ids, self.service(**options))
        accepted = [one.id for one in outcomes if one.outcome is not BulkResult.REFUSED]
        has_succeeded = self.all_finished(accepted, **options)
        code = self._show(outcomes)
        return code if has_succeeded else EXIT_FAILED

    def run_one(self, job_id: UUID, **options: Any) -> int:
        """Act on this job, print the receipt and return the exit code."""
        raise AssertionError(f"{type(self).__module__} has no run_one()")

    def service(self, **options: Any) -> Callable[..., Any]:
        """Return the function to call with each `job_id`."""
        raise AssertionError(f"{type(self).__module__} has no service()")

    def all_finished(self, accepted: Sequence[UUID], **options: Any) -> bool:
        """Wait for what continues after the calls, if anything does; return whether all of it succeeded."""
        return True

    def _show(self, outcomes: Sequence[JobOutcome]) -> int:
        counted = Counter(one.outcome for one in outcomes)
        if self.as_json:
            counts = {"matched": len(outcomes)} | {outcome.value: counted[outcome] for outcome in BulkResult}
            jobs = [asdict(one) for one in outcomes]
            statuses = bulk.statuses_read([one.id for one in outcomes])
            self.print_json({"counts": counts, "jobs": [one | {"status": statuses.get(one["id"])} for one in jobs]})
        else:
            for one in outcomes:
                self.stdout.write(f"{one.id}  {one.outcome}")
            summary = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(counted.items()))
            jobs_phrase = "1 job" if len(outcomes) == 1 else f"{len(outcomes):,} jobs"
            self.stdout.write(f"{jobs_phrase}{f': {summary}' if summary else ''}.")
        for one in outcomes:
            if one.outcome is BulkResult.REFUSED:
                self.stderr.write(f"{one.id}: {one.detail}")
        return EXIT_REFUSED if counted[BulkResult.REFUSED] else 0


def _matched(conditions: dict[str, str]) -> list[UUID]:
    moments = {name: _moment(conditions[name]) for name in ("created_after", "created_before") if name in conditions}
    status = conditions.get("status")
    return bulk.jobs_matched(
        kind=conditions.get("type"),
        status=JobStatus(status) if status else None,
        project_id=project_named(conditions["project"]) if "project" in conditions else None,
        **moments,
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text!r} is not a time; write it as 2026-03-01 or 2026-03-01T14:00:00+01:00.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
