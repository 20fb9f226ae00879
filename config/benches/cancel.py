"""Bench `cancel`: from the cancel request to status cancelled, while every page of a site takes five seconds.

And of a job with 100,000 pages waiting: until the reply, until the site is left alone, until status cancelled.
"""

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
LARGE_PAGES, LARGE_REPETITIONS = 100_000, 5
POLL_SECONDS = 0.005
GIVE_UP_SECONDS = 30.0
MEDIAN_SECONDS = 0.4  #: what is promised of the median, and of all but the slowest in a hundred
PROMISED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Cancelled:
    """One cancel: how long until its reply, until no request was open, until status cancelled; with how many items
    pending and requests open, requests that began after its reply, and what its receipt got wrong.
    """

    reply_seconds: float
    quiet_seconds: float
    seconds: float
    pending: int
    in_flight: int
    late_requests: int
    mismatches: tuple[str, ...]


def run() -> Measured:
    """Return times and mistakes, the worse of few and many requests in flight and of each; good within the promise."""
    each = {f"in_flight_{concurrency}": _figures(_cancels(concurrency)) for concurrency in CONCURRENCIES}
    large = _large_figures(_cancels(CONCURRENCIES[0], waiting=LARGE_PAGES, repetitions=LARGE_REPETITIONS))
    measured = [*each.values(), large]
    figures: dict[str, Any] = {
        "repetitions": REPETITIONS,
        "page_seconds": PAGE_SECONDS,
        "p50_s": max(one["p50_s"] for one in each.values()),
        "p99_s": max(one["p99_s"] for one in each.values()),
        "claims_after_commit": sum(one["claims_after_commit"] for one in measured),
        "count_mismatches": sum(one["count_mismatches"] for one in measured),
        **each,
        f"pending_{LARGE_PAGES}": large,
    }
    is_exact = not figures["claims_after_commit"] and not figures["count_mismatches"]
    is_prompt = figures["p50_s"] <= MEDIAN_SECONDS and figures["p99_s"] <= PROMISED_SECONDS
    stops_at_once = max(large["reply_slowest_s"], large["quiet_slowest_s"]) <= PROMISED_SECONDS
    return Measured(figures, is_exact and is_prompt and stops_at_once)


def _cancels(concurrency: int, *, waiting: int = PAGES_WAITING, repetitions: int = REPETITIONS) -> list[Cancelled]:
    changes = {"CRAWL_CONCURRENCY": str(concurrency)}
    with (
        slow_site(pages=concurrency + waiting, page_seconds=PAGE_SECONDS) as site,
        running_up(changes) as server,
    ):
        project = server.ask("POST", "/projects", {"name": f"cancel {concurrency} {waiting}"})
        return [_cancel(server, site, str(project["id"]), concurrency) for _ in range(repetitions)]


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
    mismatches = tuple(mismatches_of(receipt, final, in_flight=in_flight))
    pending = receipt["skipped"] + receipt["pending"]
    return Cancelled(answered - began, site.quiet_at - began, seconds, pending, in_flight, late, mismatches)


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
    if cancelled + finished_since != receipt["skipped"] + receipt["pending"] + receipt["in_flight"]:
        said.append(
            f"{receipt['skipped']} skipped, {receipt['pending']} to be skipped and {receipt['in_flight']} in flight"
            f" became {cancelled} cancelled and {finished_since} finished"
        )
    if counts != final["result"]["counts"]:
        said.append(f"the result says {final['result']['counts']}, the ledger {counts}")
    return said


def _figures(cancels: Sequence[Cancelled]) -> dict[str, Any]:
    seconds = sorted(one.seconds for one in cancels)
    return {
        "in_flight_least": min(one.in_flight for one in cancels),
        "p50_s": round(statistics.median(seconds), 3),
        "p99_s": round(statistics.quantiles(seconds, n=100, method="inclusive")[-1], 3),
        "slowest_s": round(seconds[-1], 3),
        **_mistakes(cancels),
    }


def _large_figures(cancels: Sequence[Cancelled]) -> dict[str, Any]:
    return {
        "repetitions": LARGE_REPETITIONS,
        "pending_least": min(one.pending for one in cancels),
        "in_flight_least": min(one.in_flight for one in cancels),
        "reply_p50_s": round(statistics.median(one.reply_seconds for one in cancels), 3),
        "reply_slowest_s": round(max(one.reply_seconds for one in cancels), 3),
        "quiet_p50_s": round(statistics.median(one.quiet_seconds for one in cancels), 3),
        "quiet_slowest_s": round(max(one.quiet_seconds for one in cancels), 3),
        "cancelled_p50_s": round(statistics.median(one.seconds for one in cancels), 3),
        "cancelled_slowest_s": round(max(one.seconds for one in cancels), 3),
        **_mistakes(cancels),
    }


def _mistakes(cancels: Sequence[Cancelled]) -> dict[str, Any]:
    mismatches = [text for one in cancels for text in one.mismatches]
    return {
        "claims_after_commit": sum(one.late_requests for one in cancels),
        "count_mismatches": len(mismatches),
    } | ({"mismatches": mismatches[:5]} if mismatches else {})
