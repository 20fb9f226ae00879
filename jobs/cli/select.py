"""What the commands share that act on jobs: on one with its own receipt, or on many with what became of each.

Many are named by their ids, or by conditions that all apply, as in REST's bulk calls.
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
    """A command that does one thing to one job or to many. Subclasses write `run_one` and `service`."""

    def arguments(self, parser: CommandParser) -> None:
        """Take ids or conditions, and the reason."""
        parser.add_argument("job_ids", nargs="*", metavar="ID", help="the jobs, if no condition names them")
        parser.add_argument("--reason", default="", help="kept in the job's history")
        many = parser.add_argument_group("many jobs", f"all to which these apply, {bulk.MAX_JOBS_PER_ACTION:,} at most")
        many.add_argument("--type", metavar="TYPE", help=" or ".join(kinds.names()))
        many.add_argument("--status", choices=[status.value for status in JobStatus], metavar="STATUS")
        many.add_argument("--project", metavar="NAME")
        many.add_argument("--created-after", metavar="TIME", help="such as 2026-03-01; UTC if it does not say")
        many.add_argument("--created-before", metavar="TIME")
        many.add_argument("--dry-run", action="store_true", help="change nothing; tell which jobs it is")
        self.own_arguments(parser)

    def own_arguments(self, parser: CommandParser) -> None:
        """Take what only this command does."""

    def run(self, **options: Any) -> int:
        """Do it to the one job, or to each of many."""
        texts: list[str] = options["job_ids"]
        conditions = {name: options[name] for name in CONDITIONS if options[name] is not None}
        if bool(texts) == bool(conditions):
            raise Invalid("Name jobs by their ids or by conditions such as --status; one of the two, not both.")
        if len(texts) == 1 and not options["dry_run"]:
            return self.run_one(job_id_parsed(texts[0]), **options)
        job_ids = list(dict.fromkeys(map(job_id_parsed, texts))) if texts else _matched(conditions)
        if options["dry_run"]:
            return self._show(bulk.jobs_listed(job_ids, with_artifacts=False)[0])
        outcomes = bulk.jobs_each(job_ids, self.service(**options))
        accepted = [one.id for one in outcomes if one.outcome is not BulkResult.REFUSED]
        is_seen_through = self.see_all_through(accepted, **options)
        code = self._show(outcomes)
        return code if is_seen_through else EXIT_FAILED

    def run_one(self, job_id: UUID, **options: Any) -> int:
        """Do it to this job, show the receipt and return the exit code."""
        raise AssertionError(f"{type(self).__module__} has no run_one()")

    def service(self, **options: Any) -> Callable[..., Any]:
        """Return what is called with each `job_id`."""
        raise AssertionError(f"{type(self).__module__} has no service()")

    def see_all_through(self, accepted: Sequence[UUID], **options: Any) -> bool:
        """Wait for what goes on after the calls, if anything does; return whether it ended well."""
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
            self.stdout.write(f"{len(outcomes):,} jobs{f': {summary}' if summary else ''}.")
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
        raise Invalid(f"{text!r} is no time; write it as 2026-03-01 or 2026-03-01T14:00:00+01:00.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
