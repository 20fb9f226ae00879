"""`manage.py extract`: extract typed values from stored sources."""

from typing import Any

from django.core.management.base import CommandParser

from extraction.work.submission import extract_submit
from jobs.cli.start import JobCommand
from jobs.control import projects


class Command(JobCommand):
    help = "Extract typed values, with the quote that proves each, from a project's sources."

    def arguments(self, parser: CommandParser) -> None:
        """Add the project, and the options that restrict the extraction."""
        parser.add_argument("--project", default=projects.DEFAULT_PROJECT, metavar="NAME", help="project")
        parser.add_argument("--group", action="append", default=[], metavar="NAME", help="only this source group")
        parser.add_argument("--field-group", action="append", default=[], metavar="NAME", help="only this field group")
        parser.add_argument("--again", action="store_true", help="also from sources already extracted from")
        self.detach_argument(parser)

    def run(self, **options: Any) -> int:
        """Start the extraction and follow it to its end."""
        job_id = extract_submit(
            project_id=projects.project_named(options["project"]),
            source_groups=options["group"],
            field_groups=options["field_group"],
            force=options["again"],
            actor=self.actor,
        )
        return self.finish(job_id, detach=options["detach"])
