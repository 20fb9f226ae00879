"""What `manage.py bench` measures: one module or folder per bench, each with `run(…) -> Measured`.

In: a bench's name and options. Out: figures, and whether a promise was broken. Open the bench's own module first:

    sites search cancel ledger     a module each; audit/ chaos/ cleanup/ a folder each, whose `bench` has the `run`
    documentation reachable        the real sites to crawl, and an independent count of their pages
    static_site slow_site          the servers of the crawled sites
    commands running               our own commands and `up` as processes of their own
    process_memory                 how much memory such a process takes
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from jobs.errors import Invalid

BENCHES = {
    "sites": "crawls two real documentation sites and compares the ledger with an independent count",
    "search": "asks 50 questions about a crawled site: recall and rank of hybrid search, BM25 alone and dense alone",
    "cancel": "time from a cancel to status cancelled, with 16 or 200 slow requests in flight or 100,000 pages waiting",
    "ledger": "items claimed and settled per second, compared with plain SQL",
    "chaos": "crawls while jobs are cancelled, removed and killed at random: what is lost, duplicated, left or stuck",
    "cleanup": "cleans up a job with 100,000 sources and 200,000 extractions, compared with a plain DELETE",
    "audit": "compares rows and points with planted faults: what is found, how long it takes, whether memory grows",
}

#: The module of a bench, where the bench is a folder.
MODULES = {"audit": "audit.bench", "chaos": "chaos.bench", "cleanup": "cleanup.bench"}

#: The options of single benches: bench → option, which is an argument of its `run` → type and meaning.
OPTIONS: dict[str, dict[str, tuple[type, str]]] = {
    "chaos": {
        "rounds": (int, "number of rounds (default: 3)"),
        "seed": (int, "seed of the random choices (default: 1)"),
        "sabotage": (str, "protection to switch off, which the bench must then detect: trigger, fence or heal"),
    },
    "cleanup": {"sources": (int, "number of sources in the job (default: 100000)")},
    "audit": {"points": (int, "number of rows, and of points, to compare (default: 100000)")},
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What a bench found. is_good: False when a promise was broken, so that the command fails."""

    figures: dict[str, Any]
    is_good: bool = True


def bench_run(name: str, given: Mapping[str, Any] | None = None) -> Measured:
    """Return what the bench called `name` measured, with the options given. Raises: Invalid."""
    bench_check(name, given)
    # By name, because a bench brings its own imports and the others' may not be installed.
    measured: Measured = import_module(f"config.benches.{MODULES.get(name, name)}").run(**(given or {}))
    return measured


def bench_check(name: str, given: Mapping[str, Any] | None = None) -> None:
    """Raises: Invalid when no bench is called `name`, or it takes no such option."""
    if name not in BENCHES:
        raise Invalid(f"There is no bench {name!r}; use one of: {', '.join(BENCHES)}.", code="unknown_bench")
    if foreign := sorted(set(given or {}) - set(OPTIONS.get(name, {}))):
        raise Invalid(f"The bench {name!r} does not take --{foreign[0]}; leave it out.", code="unknown_option")
