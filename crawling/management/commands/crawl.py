"""`manage.py crawl URL`: crawl a site, extract, and make it searchable."""

from typing import Any

from django.core.management.base import CommandParser

from crawling.web.scope import ScopeMode
from crawling.work.submission import DEFAULT_DEPTH, DEFAULT_LIMIT, CrawlOptions, crawl_submit
from jobs.cli.start import JobCommand
from jobs.control import projects


class Command(JobCommand):
    help = "Crawl a site from one URL, extract values from its pages and make them searchable."

    def arguments(self, parser: CommandParser) -> None:
        """Take the URL and the limits of the crawl."""
        parser.add_argument("url", help="where to start, such as https://example.org/docs/")
        self.project_arguments(parser)
        parser.add_argument("--group", default="", metavar="NAME", help="source group (default: the host's name)")
        parser.add_argument(
            "--max-depth", type=int, default=DEFAULT_DEPTH, metavar="N", help="links away from the start, at most"
        )
        parser.add_argument("--limit", type=int, default=DEFAULT_LIMIT, metavar="N", help="pages at most")
        parser.add_argument(
            "--include", action="append", default=[], metavar="PATH", help="only paths like /docs/*; repeatable"
        )
        parser.add_argument(
            "--exclude", action="append", default=[], metavar="PATH", help="leave such paths out; repeatable"
        )
        parser.add_argument("--scope", metavar="SCOPE", help=f"{', '.join(ScopeMode)} (default: {ScopeMode.HOST})")
        parser.add_argument("--path-prefix", default="", metavar="PATH", help="the folder of scope prefix: /docs/")
        parser.add_argument("--prefix", action="store_true", help="stay below the folder of the start URL")
        parser.add_argument("--subdomains", action="store_true", help="include subdomains of the start URL's host")
        parser.add_argument("--ignore-query", action="store_true", help="ignore what follows ? in URLs")
        parser.add_argument(
            "--language", action="append", default=[], metavar="CODE", help="keep only this language: en; repeatable"
        )
        parser.add_argument("--no-sitemaps", action="store_true", help="do not look for sitemaps")
        parser.add_argument("--no-extract", action="store_true", help="only fetch and index; extract nothing")

    def run(self, **options: Any) -> int:
        """Start the crawl and follow it to its end."""
        crawl = CrawlOptions(
            source_group=options["group"],
            max_depth=options["max_depth"],
            limit=options["limit"],
            include_paths=tuple(options["include"]),
            exclude_paths=tuple(options["exclude"]),
            scope=options["scope"],
            path_prefix=options["path_prefix"],
            allow_backward_links=False if options["prefix"] else None,
            allow_subdomains=options["subdomains"] or None,
            ignore_query_parameters=options["ignore_query"],
            use_sitemaps=not options["no_sitemaps"],
            auto_extract=not options["no_extract"],
            allowed_languages=tuple(options["language"]),
        )
        project_id = projects.project_named(options["project"])
        job_id = crawl_submit(project_id=project_id, url=options["url"], options=crawl, actor=self.actor)
        return self.finish(job_id, detach=options["detach"])
