"""Nothing is lost or doubled, whatever is killed in mid-crawl."""

import os
import signal

from config.embedded.state import read_note
from tests.helpers.embedded_home import eventually, is_alive
from tests.helpers.house import House
from tests.helpers.sites import quarry_site
from tests.helpers.web_server import WebServer, serve

PAGES = 150
DELAY_SECONDS = 0.12
FETCHED_BETWEEN_KILLS = 15
SITEMAP_ITEMS = 2  #: robots.txt and /sitemap.xml


def start_crawl(house: House, site: WebServer, *options: str) -> str:
    """Submit the crawl and return the job's id; `up` works on it."""
    return house.json("crawl", site.url("/"), "--detach", *options)["job_id"]


def wait_in_mid_crawl(house: House, *, fetched: int) -> None:
    """Return once so many items are done and others are claimed."""
    eventually(lambda: house.items("done") >= fetched and house.items("claimed") > 0)


def assert_complete(house: House, job_id: str, site: WebServer) -> None:
    """Every page was fetched, is stored once and has passages; every item is done; the frozen counts agree."""
    wanted = {site.url("/"), *(site.url(f"/stone-{number}") for number in range(1, PAGES))}
    stored = [row[0] for row in house.query("SELECT url FROM crawling_source")]
    assert len(stored) == len(set(stored))
    assert set(stored) == wanted
    states = house.query("SELECT state, reason, count(*) FROM jobs_workitem WHERE job_id = %s GROUP BY 1, 2", job_id)
    assert states == [("done", "", PAGES + SITEMAP_ITEMS)]
    assert {path for path in site.paths if path.startswith("/stone-")} == {f"/stone-{n}" for n in range(1, PAGES)}
    job = house.json("jobs", job_id)
    assert (job["status"], job["result"]["counts"]) == ("completed", {"done": PAGES + SITEMAP_ITEMS})
    assert job["result"]["sources"] == PAGES
    assert house.number("SELECT count(DISTINCT source_id) FROM extraction_passage") == PAGES


def is_restarted(house: House, killed: int) -> bool:
    """Return whether the supervisor has a new PostgreSQL in the place of the killed one."""
    note = read_note(house.path / "postgres")
    return note is not None and note.postmaster_pid != killed


def test_killing_up_three_times_loses_nothing(house: House) -> None:
    with serve(quarry_site(PAGES, delay_seconds=DELAY_SECONDS)) as site:
        up = house.up()
        job_id = start_crawl(house, site)
        for _ in range(3):
            wait_in_mid_crawl(house, fetched=house.items("done") + FETCHED_BETWEEN_KILLS)
            assert house.items("claimed") > 0
            assert up.end(signal.SIGKILL) == -signal.SIGKILL
            assert house.items("claimed") > 0, "the kill came between two claims"
            up = house.up()
        house.wait_status(job_id, "completed")
        assert_complete(house, job_id, site)
        extracted = "SELECT w.state, count(*) FROM jobs_workitem w JOIN jobs_job j ON j.id = w.job_id"
        assert house.query(f"{extracted} WHERE j.parent_id = %s GROUP BY 1", job_id) == [("done", PAGES)]
        expiries = "SELECT count(*) FROM jobs_jobevent WHERE job_id = %s AND action = 'leases_expired'"
        assert house.number(expiries, job_id) == 3
        assert house.number("SELECT max(lost_leases) FROM jobs_workitem WHERE job_id = %s", job_id) <= 2
        assert up.end() == 0


def test_killing_postgresql_is_survived(house: House) -> None:
    with serve(quarry_site(PAGES, delay_seconds=DELAY_SECONDS)) as site:
        up = house.up()
        job_id = start_crawl(house, site, "--no-extract")
        wait_in_mid_crawl(house, fetched=FETCHED_BETWEEN_KILLS)
        killed = house.note.postmaster_pid
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: not is_alive(killed))
        eventually(lambda: is_restarted(house, killed))
        house.wait_status(job_id, "completed")
        assert up.process.poll() is None
        assert_complete(house, job_id, site)
        assert up.end() == 0


def test_stopping_up_gives_its_work_back(house: House) -> None:
    with serve(quarry_site(PAGES, delay_seconds=DELAY_SECONDS)) as site:
        up = house.up()
        job_id = start_crawl(house, site, "--no-extract")
        wait_in_mid_crawl(house, fetched=FETCHED_BETWEEN_KILLS)
        assert up.end(signal.SIGTERM) == 0
        assert house.items("claimed") == 0
        assert house.items("pending") > 0, "the crawl was over before it was stopped"
        assert house.number("SELECT sum(lost_leases) FROM jobs_workitem") == 0
        up = house.up()
        house.wait_status(job_id, "completed")
        assert_complete(house, job_id, site)
        assert house.number("SELECT sum(lost_leases) FROM jobs_workitem") == 0
        assert up.end() == 0
