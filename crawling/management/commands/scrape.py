"""`manage.py scrape URL…`: fetch exactly these pages."""

import sys
from typing import Any

from django.core.management.base import CommandParser

from crawling.work.submission import scrape_submit
from jobs.cli.start import JobCommand
from jobs.control import projects


class Command(JobCommand):
    help = "Fetch exactly the URLs given; a single - reads them from standard input, one per line."

    def arguments(self, parser: CommandParser) -> None:
        """Take the URLs."""
        parser.add_argument("urls", nargs="+", metavar="url", help="addresses of pages")
        self.project_arguments(parser)
        parser.add_argument("--group", default="", metavar="NAME", help="source group (default: the host's name)")
        parser.add_argument("--no-extract", action="store_true", help="only fetch and index; extract nothing")

    def run(self, **options: Any) -> int:
        """Start the scrape and follow it to its end."""
        urls = options["urls"]
        if urls == ["-"]:
            urls = [line.strip() for line in sys.stdin if line.strip()]
        job_id = scrape_submit(
            project_id=projects.project_named(options["project"]),
            urls=urls,
            source_group=options["group"],
            auto_extract=not options["no_extract"],
            actor=self.actor,
        )
        return self.finish(job_id, detach=options["detach"])
