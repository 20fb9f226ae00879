"""`manage.py search WORDS…`: search a project's knowledge."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from rich.console import Console
from rich.markup import escape

from extraction.search.hybrid import search
from extraction.search.reply import results_json
from jobs.api.local_server import local_server
from jobs.cli.base import QuarryCommand
from jobs.control import projects


class Command(QuarryCommand):
    help = "Search the passages and extracted values of a project."

    def arguments(self, parser: CommandParser) -> None:
        """Add the words, the project and the filters."""
        parser.add_argument("query", nargs="+", help="what to search for")
        parser.add_argument("--project", default=projects.DEFAULT_PROJECT, metavar="NAME", help="project")
        parser.add_argument("--group", action="append", default=[], metavar="NAME", help="only this source group")
        parser.add_argument("--limit", type=int, default=5, metavar="N", help="results at most, 1 to 100 (default: 5)")

    def run(self, **options: Any) -> int:
        """Ask the running server, or search ourselves if there is none."""
        project_id = projects.project_named(options["project"])
        query = " ".join(options["query"])
        server = None if settings.QUARRY.qdrant_url else local_server()
        if server is not None:
            body = {"query": query, "limit": options["limit"], "source_groups": options["group"]}
            found = server.ask(f"/api/v1/projects/{project_id}/search", body)
        else:
            page = search(project_id=project_id, query=query, limit=options["limit"], source_groups=options["group"])
            found = results_json(page)
        if self.as_json:
            self.print_json(found)
        else:
            show_hits(found, self.console())
        return 0


def show_hits(found: dict[str, Any], console: Console) -> None:
    """Print the hits with their snippets, matches in bold."""
    if not found["results"]:
        console.print("Nothing found. Try other words, or crawl something first.")
    for number, hit in enumerate(found["results"], 1):
        title = hit["source_title"] or hit["source_uri"]
        console.print(f"[bold]{number}. {escape(title)}[/bold]  [dim]{hit['score']:.2f} {escape(hit['kind'])}[/dim]")
        console.print(f"   {escape(hit['source_uri'])}", style="cyan", soft_wrap=True)
        parts = [
            f"[bold yellow]{escape(part['text'])}[/bold yellow]" if part["is_match"] else escape(part["text"])
            for part in hit["snippet"]
        ]
        console.print(f"   {''.join(parts)}")
    for warning in found["warnings"]:
        console.print(escape(warning), style="yellow")
