"""Bench `cancel`: from the cancel request to status cancelled, while every page of a site takes five seconds."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from config.benches import Measured
from config.benches.commands import CommandFailed
from config.benches.running import Running, running_up
from config.benches.slow_site import SlowSite, slow_site

PAGE_SECONDS = 5.0
CONCURRENCIES = (16, 200)
REPETITIONS = 12
FULL_SHARE = 0.75  #: a slice claims anew once a quarter of its hands are free
PAGES_WAITING = 100  #: pages beyond those in flight, which the cancel has to skip
POLL_SECONDS = 0.005
GIVE_UP_SECONDS = 30.0
MEDIAN_SECONDS = 0.4  #: what is promised of the median, and of all but the slowest in a hundred
PROMISED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Cancelled:
    """One cancel: how long it took, with how many requests open, requests that began after its reply, and what its
    receipt got wrong.
    """

    seconds: float
    in_flight: int
    late_requests: int
    mismatches: tuple[str, ...]


def run() -> Measured:
    """Return times and mistakes, the worse of few and many requests in flight and of each; good within the promise."""
    each = {f"in_flight_{concurrency}": _figures(_cancels(concurrency)) for concurrency in CONCURRENCIES}
    figures: dict[str, Any] = {
        "repetitions": REPETITIONS,
        "page_seconds": PAGE_SECONDS,
        "p50_s": max(measured["p50_s"] for measured in each.values()),
        "p99_s": max(measured["p99_s"] for measured in each.values()),
        "claims_after_commit": sum(measured["claims_after_commit"] for measured in each.values()),
        "count_mismatches": sum(measured["count_mismatches"] for measured in each.values()),
        **each,
    }
    is_exact = not figures["claims_after_commit"] and not figures["count_mismatches"]
    return Measured(figures, is_exact and figures["p50_s"] <= MEDIAN_SECONDS and figures["p99_s"] <= PROMISED_SECONDS)


def _cancels(concurrency: int) -> list[Cancelled]:
    changes = {"CRAWL_CONCURRENCY": str(concurrency)}
    with (
        slow_site(pages=concurrency + PAGES_WAITING, page_seconds=PAGE_SECONDS) as site,
        running_up(changes) as server,
    ):
        project = server.ask("POST", "/projects", {"name": f"cancel {concurrency}"})
        return [_cancel(server, site, str(project["id"]), concurrency) for _ in range(REPETITIONS)]


def _cancel(server: Running, site: SlowSite, project_id: str, concurrency: int) -> Cancelled:
    job = server.ask("POST", "/crawl", {"url": site.url, "project_id": project_id, "auto_extract": False})
    path = f"/jobs/{job['job_id']}"
    in_flight = _wait_steady(server, site, path, at_least=concurrency * FULL_SHARE)
    began = time.monotonic()
    receipt = server.ask("POST", f"{path}/cancel", {})
    answered = time.monotonic()
    while (final := server.ask("GET", path))["status"] != "cancelled":
        if time.monotonic() - began > GIVE_UP_SECONDS:
            break
        time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - began
    site.wait_quiet()
    late = sum(at > answered for at in site.asked)
    return Cancelled(seconds, in_flight, late, tuple(mismatches_of(receipt, final, in_flight=in_flight)))


def _wait_steady(server: Running, site: SlowSite, path: str, *, at_least: float) -> int:
    """Return how many requests are open once the site and the ledger agree on it. Raises: CommandFailed."""
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < give_up:
        in_flight = site.in_flight
        if in_flight >= at_least and server.ask("GET", path)["counts"].get("claimed") == in_flight == site.in_flight:
            return in_flight
        time.sleep(POLL_SECONDS)
    raise CommandFailed(f"The crawl had {site.in_flight} requests open after {GIVE_UP_SECONDS:.0f} s, not {at_least}.")


def mismatches_of(receipt: dict[str, Any], final: dict[str, Any], *, in_flight: int) -> list[str]:
    """Return what the cancel's receipt and the finished job's ledger disagree on, as sentences.

    in_flight: requests open at the target, by its own count.
    """
    counts, cancelled = final["counts"], final["reasons"].get("cancelled", 0)
    said = []
    if final["status"] != "cancelled":
        said.append(f"status {final['status']} after {GIVE_UP_SECONDS:.0f} s")
    if receipt["in_flight"] != in_flight:
        said.append(f"the receipt counts {receipt['in_flight']} in flight, the site {in_flight}")
    finished_since = counts.get("done", 0) + counts.get("failed", 0) - receipt["done"] - receipt["failed"]
    if cancelled + finished_since != receipt["skipped"] + receipt["in_flight"]:
        said.append(
            f"{receipt['skipped']} skipped and {receipt['in_flight']} in flight became {cancelled} cancelled"
            f" and {finished_since} finished"
        )
    if counts != final["result"]["counts"]:
        said.append(f"the result says {final['result']['counts']}, the ledger {counts}")
    return said


def _figures(cancels: Sequence[Cancelled]) -> dict[str, Any]:
    seconds = sorted(one.seconds for one in cancels)
    mismatches = [text for one in cancels for text in one.mismatches]
    return {
        "in_flight_least": min(one.in_flight for one in cancels),
        "p50_s": round(statistics.median(seconds), 3),
        "p99_s": round(statistics.quantiles(seconds, n=100, method="inclusive")[-1], 3),
        "slowest_s": round(seconds[-1], 3),
        "claims_after_commit": sum(one.late_requests for one in cancels),
        "count_mismatches": len(mismatches),
    } | ({"mismatches": mismatches[:5]} if mismatches else {})
