"""Bench `chaos`: everything that can happen to running jobs happens, at random moments; then a judge looks."""

import random
import signal
import time
from collections import Counter
from typing import Any

from config.benches import Measured
from config.benches.chaos.acts import (
    NEIGHBOUR_PAGES,
    Chaos,
    act_do,
    force_while_a_settle_waits,
    kill_and_restart,
    passages_delete_by_hand,
)
from config.benches.chaos.judge import Verdict, judge, quiet_await
from config.benches.chaos.sabotage import sabotage_begin, sabotage_check, server_words
from config.benches.chaos.server import Server
from config.benches.chaos.site import chaos_site
from jobs.models import JobEvent

ACTS_BEFORE_KILL = 3
ACTS_AFTER_KILL = 2
FINDINGS_SHOWN = 10


def run(rounds: int = 3, seed: int = 1, sabotage: str = "") -> Measured:
    """Return how much was lost, stored twice, left behind or stuck in so many rounds; good if nothing was.

    seed: decides which acts happen to which jobs and after what pauses. sabotage: the protection switched off.
    Raises: Invalid for an unknown sabotage, CommandFailed.
    """
    sabotage_check(sabotage)
    sabotage_begin(sabotage)
    began = time.monotonic()
    verdict = Verdict()
    with chaos_site() as site:
        chaos = Chaos(site, Server(server_words(sabotage)), random.Random(seed))  # noqa: S311  repeatable on purpose
        try:
            for number in range(1, rounds + 1):
                _round(chaos, number)
                judge(chaos, verdict)
        finally:
            chaos.server.end(signal.SIGKILL)
    figures: dict[str, Any] = {
        "rounds": rounds,
        "seed": seed,
        "sabotage": sabotage,
        **{promise: verdict.number(promise) for promise in ("lost", "duplicated", "orphans", "stuck")},
        "seconds": round(time.monotonic() - began, 1),
        "removed": _removed(),
        "acts": dict(sorted(chaos.acts.items())),
        "findings": verdict.findings[:FINDINGS_SHOWN],
    }
    return Measured(figures, not verdict.findings)


def _round(chaos: Chaos, number: int) -> None:
    """Crawl the site while things happen, wait until all is quiet, and stop the server."""
    chaos.server.start()
    chaos.project_id = str(chaos.server.ask("POST", "/projects", {"name": f"round {number}"})[1]["id"])
    chaos.crawl()
    chaos.neighbours.add(chaos.crawl(limit=NEIGHBOUR_PAGES))
    _acts(chaos, ACTS_BEFORE_KILL)
    chaos.site.edition += 1
    kill_and_restart(chaos, store_is_busy=chaos.dice.random() < 0.5)
    chaos.crawl()
    _acts(chaos, ACTS_AFTER_KILL)
    force_while_a_settle_waits(chaos, chaos.crawl())  # last, so that no later act removes what came too late
    if quiet_await(chaos):
        chaos.acts["passages deleted by hand"] += passages_delete_by_hand(chaos)
        quiet_await(chaos)
    chaos.server.end(signal.SIGTERM)


def _removed() -> dict[str, int]:
    """Return how much the cleanups deleted, by kind: chaos that removes nothing would prove little."""
    removed: Counter[str] = Counter()
    for receipt in JobEvent.objects.filter(action="cleaned").values_list("counts", flat=True):
        removed.update({kind: numbers["deleted"] for kind, numbers in receipt.items()})
    return dict(sorted(removed.items()))


def _acts(chaos: Chaos, number: int) -> None:
    for _ in range(number):
        chaos.pause_for_a_moment()
        act_do(chaos, chaos.next_act())
    chaos.pause_for_a_moment()
