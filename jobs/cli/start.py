"""What the commands that start a job share: choosing the project, waiting for the job, printing how it ended."""

import getpass
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from jobs.cli import follow
from jobs.cli.base import EXIT_FAILED, QuarryCommand
from jobs.control.projects import DEFAULT_PROJECT
from jobs.registry import kinds


class JobCommand(QuarryCommand):
    """A command that starts one job and, without `--detach`, waits until it has finished."""

    def project_arguments(self, parser: CommandParser) -> None:
        """Add `--project` and `--detach`."""
        parser.add_argument(
            "--project", default=DEFAULT_PROJECT, metavar="NAME", help="name of the project (default: default)"
        )
        self.detach_argument(parser)

    def detach_argument(self, parser: CommandParser) -> None:
        """Add `--detach`."""
        parser.add_argument("--detach", action="store_true", help="return at once; `up` or other workers do the work")

    @property
    def actor(self) -> str:
        """The name that the history shows: that of the operating system's user."""
        try:
            return f"{getpass.getuser()} (command)"
        except (KeyError, OSError):  # a user id without a name
            return "command"

    def finish(self, job_id: UUID, *, detach: bool) -> int:
        """Wait until the job has finished, print how it ended, and return the exit code."""
        if detach:
            summary = follow.job_summary(job_id)
            if self.as_json:
                self.print_json(summary)
            else:
                self.stdout.write(f"Job {job_id} is {summary['status']}; show it with: manage.py jobs {job_id}")
            return 0
        summaries = follow.job_follow(job_id, quiet=self.as_json)
        self.show(summaries)
        for one in summaries:
            if follow.is_failure(one["status"]) and one["error"]:
                self.stderr.write(one["error"])
        return EXIT_FAILED if any(follow.is_failure(one["status"]) for one in summaries) else 0

    def show(self, summaries: list[dict[str, Any]]) -> None:
        """Print how the job and the jobs it chained ended."""
        if self.as_json:
            self.print_json({**summaries[0], "chained": summaries[1:]})
            return
        for summary in summaries:
            self.stdout.write("\n".join(summary_lines(summary)))


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """Return a job's summary as lines for people."""

    def listed(numbers: dict[str, int]) -> str:
        return ", ".join(f"{number:,} {name}" for name, number in numbers.items()) or "nothing"

    seconds = "" if summary["seconds"] is None else f" in {summary['seconds']} s"
    lines = [f"{summary['type']} {summary['label']}: {summary['status']}{seconds}  (job {summary['job_id']})"]
    lines.append(f"  {listed(summary['counts'])}")
    if summary["reasons"]:
        lines.append(f"  reasons: {listed(summary['reasons'])}")
    result = summary["result"] or {}
    names = kinds.get(summary["type"]).result_names
    facts = [f"{result[name]:,} {name}" for name in names if isinstance(result.get(name), int)]
    lines += [f"  {', '.join(facts)}"] if facts else []
    lines += [f"  {text}" for text in (summary["error"], result.get("note", "")) if text]
    return lines
