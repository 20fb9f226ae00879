"""Cancel over the REST API of a real server: within a second, with exact counts, and what is done is kept."""

import time

from tests.helpers.embedded_home import eventually
from tests.helpers.house import House
from tests.helpers.sites import page_text, slow_site
from tests.helpers.web_server import serve

FAST, SLOW, IN_FLIGHT = 12, 60, 16


def test_a_cancel_takes_less_than_a_second_and_counts_exactly(house: House) -> None:
    with serve(slow_site(FAST, SLOW, slow_seconds=5.0)) as site:
        up = house.up_with_key(CRAWL_CONCURRENCY=str(IN_FLIGHT))
        project = house.number("SELECT count(*) FROM jobs_project")
        assert project == 0
        job_id = house.json("crawl", site.url("/"), "--detach", "--no-extract")["job_id"]
        # A slice claims anew once a quarter of its hands are free, so there may be a few less than 16.
        eventually(lambda: site.in_flight == house.items("claimed") >= IN_FLIGHT * 3 // 4, seconds=30)
        in_flight = site.in_flight
        assert all(path.startswith("/slow-") for path in site.paths[-in_flight:])
        began = time.monotonic()
        status, receipt = up.ask("POST", f"/jobs/{job_id}/cancel", {})
        answered = len(site.requests)
        assert (status, receipt["status"], receipt["changed"]) == (202, "cancelling", True)
        while (job := up.ask("GET", f"/jobs/{job_id}")[1])["status"] != "cancelled":
            assert time.monotonic() - began < 10, job
        seconds = time.monotonic() - began
        assert seconds < 1.0, f"{seconds:.2f} s"
        assert (receipt["skipped"], receipt["in_flight"]) == (SLOW - in_flight, in_flight)
        kept = FAST + 1 + 2  # the start page, robots.txt and /sitemap.xml
        assert (receipt["done"], receipt["failed"]) == (kept, 0)
        assert job["result"]["counts"] == {"done": kept, "skipped": SLOW}
        assert job["result"]["reasons"] == {"cancelled": SLOW}
        assert house.items("claimed") == house.items("pending") == 0
        site.wait_until(lambda: site.in_flight == 0)
        assert len(site.requests) == answered, "a page was asked for after the cancel"
        assert house.number("SELECT count(*) FROM crawling_source") == FAST + 1
        assert up.ask("POST", f"/jobs/{job_id}/cancel", {})[1]["changed"] is False
        # What was fetched before is searchable, through the running server that alone holds the index.
        eventually(lambda: house.number("SELECT count(*) FROM extraction_vectorchange") == 0, seconds=30)
        found = house.json("search", page_text(7))["results"]
        assert found[0]["source_uri"] == site.url("/stone-7")
        assert up.end() == 0
