"""`manage.py bench NAME`: measure, in a data folder of its own."""

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandParser

from config.benches import BENCHES, OPTIONS, bench_check, bench_run
from config.demo import scratch_home
from jobs.cli.base import EXIT_FAILED, QuarryCommand

SWITCH_INTERVAL_SECONDS = 0.0005  # as in `up`


class Command(QuarryCommand):
    needs_tables = False
    help = "Measure Quarry on this machine, in a data folder of its own: " + "; ".join(
        f"{name}: {meaning}" for name, meaning in BENCHES.items()
    )

    def arguments(self, parser: CommandParser) -> None:
        """Take the bench's name and the options of single benches."""
        parser.add_argument("name", metavar="NAME", help=", ".join(BENCHES))
        for bench, options in OPTIONS.items():
            for option, (kind, meaning) in options.items():
                parser.add_argument(f"--{option}", type=kind, help=f"{bench}: {meaning}")

    def run(self, **options: Any) -> int:
        """Measure and print the figures; return 1 if a promise was broken."""
        name = options["name"]
        known = {option for options in OPTIONS.values() for option in options}
        given = {option: options[option] for option in known if options[option] is not None}
        bench_check(name, given)
        if not scratch_home.is_entered():
            scratch_home.home_enter(settings.QUARRY.home / "bench" / name)
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        call_command("migrate", verbosity=0, interactive=False)
        measured = bench_run(name, given)
        if self.as_json:
            self.print_json({"bench": name, "is_good": measured.is_good, **measured.figures})
        else:
            self.stdout.write("\n".join(figure_lines(measured.figures)))
        return 0 if measured.is_good else EXIT_FAILED


def figure_lines(figures: dict[str, Any], indent: str = "") -> list[str]:
    """Return the figures as lines for people, groups indented."""
    lines: list[str] = []
    for name, value in figures.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *figure_lines(value, f"{indent}  ")]
        else:
            shown = value if isinstance(value, str) else json.dumps(value)
            lines.append(f"{indent}{name:<24} {shown}")
    return lines
