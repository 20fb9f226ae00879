"""How a host is treated: measured by the host itself, in its own log."""

import asyncio
import itertools
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crawling.errors import AskedToWait
from crawling.models import Host
from crawling.sources.hosts import HostMemory
from crawling.web import politeness
from crawling.web.politeness import Pace
from crawling.web.robots import RobotsRules, RobotsState
from crawling.work.worker import HostWorker
from jobs.control.cancel import job_cancel
from jobs.control.pause import lane_pause, lane_resume
from jobs.models import Lane, Project, WorkItem
from jobs.worker import runner
from tests.helpers.crawls import crawl, crawl_start, drive, html, items, lanes_of, waits_end
from tests.helpers.threads import until
from tests.helpers.web_server import Reply, Request, WebServer, serve, throttled

django_db = pytest.mark.django_db(transaction=True)
EARLY_SECONDS = 0.02  # what a server's log may differ from the client's clock
LATE_SECONDS = 0.08  # how late a busy machine's server may note a request; the next one then seems to come too soon


def are_apart(server: WebServer, pause_seconds: float, *, after: int = 0) -> bool:
    """Return whether any two requests, but for the first so many, are as many pauses apart as there lie between."""
    starts = sorted(request.started for request in server.requests)[after:]
    pairs = itertools.combinations(enumerate(starts), 2)
    return all(late - early >= (j - i) * pause_seconds - LATE_SECONDS for (i, early), (j, late) in pairs)


def gaps(server: WebServer) -> list[float]:
    """Return the seconds between the starts of successive requests."""
    starts = sorted(request.started for request in server.requests)
    return [later - earlier for earlier, later in itertools.pairwise(starts)]


def star(pages: int) -> dict[str, Any]:
    """Return a start page and the pages it links to."""
    return {"/": html("Start", *(f"/{n}" for n in range(pages)))} | {f"/{n}": html(f"Page {n}") for n in range(pages)}


@django_db
@pytest.mark.parametrize("rule", ["Crawl-delay: 0.2", "Request-rate: 5/1"])
def test_the_delay_of_robots_txt_is_honoured(project: Project, rule: str) -> None:
    robots = Reply(f"User-agent: *\n{rule}", content_type="text/plain")
    with serve({**star(5), "/robots.txt": robots}) as server:
        crawl(project, server.url("/"))
        assert len(server.paths) == 7
        assert are_apart(server, 0.2, after=1)  # the first pause came before it was known


@django_db
def test_a_delay_holds_from_one_slice_to_the_next(project: Project) -> None:
    robots = Reply("User-agent: *\nCrawl-delay: 0.2", content_type="text/plain")
    with serve({**star(0), "/robots.txt": robots}) as server:
        for _ in range(4):
            crawl(project, server.url("/"))
        assert server.paths == ["/robots.txt", "/", "/", "/", "/"]
        assert are_apart(server, 0.2, after=1)


@django_db
def test_a_host_that_staff_pause_is_asked_nothing_more_until_they_resume_it(
    project: Project, settings: Any, in_thread: Any
) -> None:
    in_haste = settings.QUARRY
    settings.QUARRY = replace(in_haste, crawl_delay_seconds=0.5)  # all of it would take a quarter of a minute
    with serve(star(30)) as server:
        job_id = crawl_start(project, server.url("/"))
        (lane_id,) = lanes_of(job_id)
        side = in_thread(runner.slice_run, lane_id=lane_id)
        until(lambda: len(server.paths) > 2, "some pages were asked for")
        lane_pause(lane_id=lane_id)
        side.result()
        asked = len(server.paths)
        assert asked < 32, "all was asked for before the pause was noticed"
        assert runner.slice_run(lane_id=lane_id) == 0
        assert len(server.paths) == asked
        lane_resume(lane_id=lane_id)
        settings.QUARRY = in_haste
        job = drive(job_id)
    assert job.result["counts"] == {"done": 31}
    assert sum(WorkItem.objects.filter(job=job).values_list("attempts", flat=True)) == 0


@django_db
def test_delay_and_cap_hold_across_two_jobs(project: Project, settings: Any) -> None:
    settings.QUARRY = replace(settings.QUARRY, crawl_delay_seconds=0.1, crawl_concurrency=2)
    other = Project.objects.create(name="Other")

    def slow(request: Request) -> Any:
        return Reply(star(8)["/"] if request.path == "/" else html(request.path), delay_seconds=0.3)

    with serve(slow) as server:
        server.routes = lambda request: Reply(status=404) if request.path == "/robots.txt" else slow(request)
        jobs = [crawl_start(one, server.url("/")) for one in (project, other)]
        ended = [drive(job_id) for job_id in jobs]
        assert are_apart(server, 0.1)
        assert server.in_flight_most == 2
        turns = [request.path for request in server.requests]
    assert [job.result["counts"] for job in ended] == [{"done": 9}] * 2
    assert len(turns) == 19
    assert turns.index("/7") > 10  # both were served, not one after the other


@django_db
@pytest.mark.parametrize("status", [429, 503])
def test_later_burns_no_attempt(project: Project, status: int) -> None:
    refusals = iter([True] * 5)

    def busy(request: Request) -> Any:
        if request.path == "/1" and next(refusals, False):
            return throttled("0", status=status)
        return star(3).get(request.path, Reply(status=404))

    with serve(busy) as server:
        job_id = crawl_start(project, server.url("/"))
        job = drive(job_id)
        assert server.paths.count("/1") == 6
    assert items(job)["/1"] == "done"
    assert WorkItem.objects.get(job=job, key__endswith="/1").attempts == 0
    assert Host.objects.get().slow_down_seconds > 0
    assert str(status) in Host.objects.get().last_error


@django_db
def test_a_host_that_says_later_is_left_alone_meanwhile(project: Project, settings: Any) -> None:
    """The requests that already wait their turn do not go out either."""
    settings.QUARRY = replace(settings.QUARRY, crawl_delay_seconds=0.05)
    refusals = iter([True])

    def busy(request: Request) -> Any:
        if request.path == "/2" and next(refusals, False):
            return throttled("1")
        return star(8).get(request.path, Reply(status=404))

    with serve(busy) as server:
        job = drive(crawl_start(project, server.url("/")))
        refused = next(request.started for request in server.requests if request.path == "/2")
        after = [request.started - refused for request in server.requests if request.started > refused]
        assert min(after) >= 1 - EARLY_SECONDS
    assert job.result["counts"] == {"done": 9}


@django_db
def test_a_host_that_says_much_later_gives_its_items_back(project: Project, settings: Any) -> None:
    settings.QUARRY = replace(settings.QUARRY, crawl_concurrency=1)  # so that nothing else is under way by then

    def busy(request: Request) -> Any:
        return throttled("120") if request.path == "/0" else star(6).get(request.path, Reply(status=404))

    with serve(busy) as server:
        job_id = crawl_start(project, server.url("/"))
        began = timezone.now()
        runner.slice_run(lane_id=lanes_of(job_id)[0])
        assert server.paths == ["/robots.txt", "/", "/0"]
    waiting = WorkItem.objects.filter(job_id=job_id, state="pending")
    assert {row.attempts for row in waiting} == {0}
    assert {row.key.rpartition("/")[2] for row in waiting} == set("012345")
    assert waiting.get(key__endswith="/0").not_before > began + timedelta(seconds=120)


@django_db
def test_waiting_has_an_end(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve({"/": html("Start", "/busy"), "/busy": throttled("3600", status=503)}) as server:
        job_id = crawl_start(project, server.url("/"))
        runner.slice_run(lane_id=lanes_of(job_id)[0])
        waits_end(job_id)
        job = drive(job_id)
    assert items(job)["/busy"] == "failed:http_5xx"
    assert job.status == "completed"


@django_db
def test_a_paused_lane_is_not_crawled(project: Project) -> None:
    with serve(star(1)) as server:
        job_id = crawl_start(project, server.url("/"))
        Lane.objects.update(paused_at=timezone.now())
        assert runner.slice_run(lane_id=lanes_of(job_id)[0]) == 0
        assert server.paths == []
        Lane.objects.update(paused_at=None)
        assert drive(job_id).status == "completed"


@django_db
def test_a_cancel_aborts_requests_under_way(project: Project, in_thread: Any) -> None:
    routes = star(4) | {f"/{n}": Reply(html("Slow"), delay_seconds=30) for n in range(4)}
    with serve(routes) as server:
        job_id = crawl_start(project, server.url("/"))
        side = in_thread(runner.slice_run, lane_id=lanes_of(job_id)[0])
        server.wait_until(lambda: server.in_flight == 4)
        job_cancel(job_id=job_id)
        server.wait_until(lambda: len(server.aborted) == 4)  # long before any of them is answered
        side.result()
    job = drive(job_id)
    assert (job.status, job.result["counts"]) == ("cancelled", {"done": 1, "skipped": 4})


# The pace by itself


def started(pace: Pace, turns: int, *, at: Any = lambda number: None) -> list[float]:
    """Return when each of `turns` simultaneous requests started, in seconds; `at` is told when one did."""

    async def one(number: int, starts: list[float], began: float) -> None:
        async with pace.turn():
            starts.append(time.monotonic() - began)
            at(len(starts))

    async def all_of_them() -> list[float]:
        starts: list[float] = []
        began = time.monotonic()
        await asyncio.gather(*(one(number, starts, began) for number in range(turns)))
        return starts

    return asyncio.run(all_of_them())


def test_turns_are_a_pause_apart() -> None:
    starts = started(Pace(delay_seconds=0.05, concurrency=3), 5)
    assert len(starts) == 5
    assert min(later - earlier for earlier, later in itertools.pairwise(starts)) >= 0.05


def test_a_machine_that_stalls_shortens_no_pause() -> None:
    """A request that goes out late moves all that follow: nobody sends two at once to make up for it."""

    def stall(number: int) -> None:
        if number == 1:
            time.sleep(0.12)  # the event loop hangs, beyond when two more were due

    starts = started(Pace(delay_seconds=0.05, concurrency=3), 5, at=stall)
    assert min(later - earlier for earlier, later in itertools.pairwise(starts)) >= 0.05


def test_a_later_heard_while_others_wait_holds_for_them() -> None:
    pace = Pace(delay_seconds=0.01, concurrency=4)
    starts = started(pace, 4, at=lambda number: number == 1 and pace.overloaded(retry_after_seconds=0.2))
    assert min(starts[1:]) - starts[0] >= 0.2


def test_nobody_waits_in_hand_for_long() -> None:
    pace = Pace(delay_seconds=0.0, concurrency=1)
    pace.overloaded(retry_after_seconds=politeness.MAX_WAIT_SECONDS + 60)
    with pytest.raises(AskedToWait) as caught:
        started(pace, 1)
    assert caught.value.seconds > politeness.MAX_WAIT_SECONDS


def test_slowing_down_and_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(politeness, "BURST_SECONDS", 0.0)
    pace = Pace(delay_seconds=1.0, concurrency=4)
    assert [pace.overloaded() for _ in range(3)] == [0.5, 1.0, 2.0]
    assert pace.pause_seconds == 3.0
    for _ in range(10):
        pace.overloaded()
    assert pace.slow_down_seconds == politeness.MAX_SLOW_DOWN_SECONDS
    slower = pace.slow_down_seconds
    pace.succeeded()
    assert pace.slow_down_seconds == pytest.approx(slower * 0.8)
    for _ in range(40):
        pace.succeeded()
    assert pace.pause_seconds == 1.0


def test_a_burst_of_refusals_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(politeness, "BURST_SECONDS", 3600.0)
    pace = Pace(delay_seconds=0.0, concurrency=4)
    assert {pace.overloaded(retry_after_seconds=0.1) for _ in range(4)} == {0.5}


@django_db
def test_no_more_items_are_held_than_the_host_may_be_asked_for(project: Project) -> None:
    def worker(rules: str | None) -> HostWorker:
        robots = None if rules is None else RobotsRules(RobotsState.RULES, f"User-agent: *\n{rules}")
        return HostWorker("host", None, None, HostMemory(None, 0.0, robots))

    assert worker(None).in_hand == 1  # nobody knows yet how long the pauses are
    assert worker("Disallow:").in_hand == 4
    assert worker("Crawl-delay: 30").in_hand == 2
    assert worker("Crawl-delay: 86400").in_hand == 1
    assert worker("Crawl-delay: 86400").pace.pause_seconds == 60.0
