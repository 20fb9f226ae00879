"""What `manage.py bench` measures: one module per bench, each with `run() -> Measured`."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from jobs.errors import Invalid

BENCHES = {
    "sites": "crawls two real documentation sites and compares the ledger with an independent count",
    "search": "50 questions on a crawled site: recall and rank of hybrid search, BM25 alone and dense alone",
    "cancel": "time from a cancel to status cancelled, with 16 and 200 requests of 5 s in flight",
    "ledger": "items claimed and settled per second, beside the bare SQL",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What a bench found. is_good: False when a promise was broken, so that the command fails."""

    figures: dict[str, Any]
    is_good: bool = True


def bench_run(name: str) -> Measured:
    """Return what the bench called `name` measured. Raises: Invalid for an unknown name."""
    bench_check(name)
    measured: Measured = import_module(f"config.benches.{name}").run()
    return measured


def bench_check(name: str) -> None:
    """Raises: Invalid when no bench is called `name`."""
    if name not in BENCHES:
        raise Invalid(f"There is no bench {name!r}; use one of: {', '.join(BENCHES)}.", code="unknown_bench")
