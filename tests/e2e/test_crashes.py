"""Nothing is lost or doubled, whatever is killed in mid-crawl."""

import os
import signal
from collections.abc import Callable

from config.embedded.state import read_note
from tests.helpers.installation import Installation
from tests.helpers.processes import eventually
from tests.helpers.sites import quarry_site
from tests.helpers.web_server import Reply, Request, WebServer, serve

PAGES = 150
ANSWERS = 30  #: pages that a crawl gets before the site holds it
KILLS = 3
SITEMAP_ITEMS = 2  #: robots.txt and /sitemap.xml


def start_crawl(installation: Installation, site: WebServer, *options: str) -> str:
    """Submit the crawl and return the job's id; `up` works on it."""
    return installation.json("crawl", site.url("/"), "--detach", *options)["job_id"]


def pages(*, answers: int | None = None) -> Callable[[Request], Reply]:
    """Return the routes of the site, which answers at once, or so many requests only."""
    return quarry_site(PAGES, delay_seconds=0.0, answers=answers)


def wait_in_mid_crawl(installation: Installation, *, times: int = 1) -> None:
    """Return once the crawl got ANSWERS pages so many times and has claimed items that the site holds."""
    done = times * ANSWERS + SITEMAP_ITEMS
    eventually(lambda: installation.items("done") == done and installation.items("claimed") > 0, seconds=120)


def assert_complete(installation: Installation, job_id: str, site: WebServer) -> None:
    """Every page was fetched, is stored once and has passages; every item is done; the frozen counts agree."""
    wanted = {site.url("/"), *(site.url(f"/stone-{number}") for number in range(1, PAGES))}
    stored = [row[0] for row in installation.query("SELECT url FROM crawling_source")]
    assert len(stored) == len(set(stored))
    assert set(stored) == wanted
    states = installation.query(
        "SELECT state, reason, count(*) FROM jobs_workitem WHERE job_id = %s GROUP BY 1, 2", job_id
    )
    assert states == [("done", "", PAGES + SITEMAP_ITEMS)]
    assert {path for path in site.paths if path.startswith("/stone-")} == {f"/stone-{n}" for n in range(1, PAGES)}
    job = installation.json("jobs", job_id)
    assert (job["status"], job["result"]["counts"]) == ("completed", {"done": PAGES + SITEMAP_ITEMS})
    assert job["result"]["sources"] == PAGES
    assert installation.number("SELECT count(DISTINCT source_id) FROM extraction_passage") == PAGES


def is_restarted(installation: Installation, killed: int) -> bool:
    """Return whether the supervisor has a new PostgreSQL in the place of the killed one."""
    note = read_note(installation.path / "postgres")
    return note is not None and note.postmaster_pid != killed


def test_killing_up_three_times_loses_nothing(installation: Installation) -> None:
    with serve(pages(answers=ANSWERS)) as site:
        up = installation.up()
        job_id = start_crawl(installation, site)
        for kill in range(1, KILLS + 1):
            wait_in_mid_crawl(installation, times=kill)
            assert up.end(signal.SIGKILL) == -signal.SIGKILL
            assert installation.items("claimed") > 0
            site.routes = pages(answers=ANSWERS if kill < KILLS else None)
            up = installation.up()
        installation.wait_status(job_id, "completed", seconds=120)
        assert_complete(installation, job_id, site)
        extracted = "SELECT w.state, count(*) FROM jobs_workitem w JOIN jobs_job j ON j.id = w.job_id"
        assert installation.query(f"{extracted} WHERE j.parent_id = %s GROUP BY 1", job_id) == [("done", PAGES)]
        expiries = "SELECT count(*) FROM jobs_jobevent WHERE job_id = %s AND action = 'leases_expired'"
        assert installation.number(expiries, job_id) >= KILLS
        assert up.end() == 0


def test_killing_postgresql_is_survived(installation: Installation) -> None:
    with serve(pages(answers=ANSWERS)) as site:
        up = installation.up()
        job_id = start_crawl(installation, site, "--no-extract")
        wait_in_mid_crawl(installation)
        killed = installation.note.postmaster_pid
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: is_restarted(installation, killed))
        site.routes = pages()
        installation.wait_status(job_id, "completed", seconds=120)
        assert up.process.poll() is None
        assert_complete(installation, job_id, site)
        assert up.end() == 0


def test_stopping_up_gives_its_work_back(installation: Installation) -> None:
    with serve(pages(answers=ANSWERS)) as site:
        up = installation.up()
        job_id = start_crawl(installation, site, "--no-extract")
        wait_in_mid_crawl(installation)
        assert up.end(signal.SIGTERM) == 0
        assert installation.items("claimed") == 0
        assert installation.items("pending") > 0
        assert installation.number("SELECT sum(lost_leases) FROM jobs_workitem") == 0
        site.routes = pages()
        up = installation.up()
        installation.wait_status(job_id, "completed")
        assert_complete(installation, job_id, site)
        assert installation.number("SELECT sum(lost_leases) FROM jobs_workitem") == 0
        assert up.end() == 0
