"""Cancel over the REST API of a real server: requests are aborted, counts are exact, and what is done is kept."""

from tests.helpers.installation import Installation
from tests.helpers.processes import eventually
from tests.helpers.sites import half_held_site, page_text
from tests.helpers.web_server import serve

ANSWERED, HELD, IN_FLIGHT = 12, 60, 16


def test_a_cancel_waits_for_no_page_and_counts_exactly(installation: Installation) -> None:
    with serve(half_held_site(ANSWERED, HELD)) as site:
        up = installation.up_with_key(CRAWL_CONCURRENCY=str(IN_FLIGHT))
        project = installation.number("SELECT count(*) FROM jobs_project")
        assert project == 0
        job_id = installation.json("crawl", site.url("/"), "--detach", "--no-extract")["job_id"]
        # A slice claims anew once a quarter of its hands are free, so there may be a few less than 16.
        eventually(lambda: site.in_flight == installation.items("claimed") >= IN_FLIGHT * 3 // 4)
        in_flight = site.in_flight
        assert all(path.startswith("/held-") for path in site.paths[-in_flight:])
        status, receipt = up.ask("POST", f"/jobs/{job_id}/cancel", {})
        answered = len(site.requests)
        assert (status, receipt["status"], receipt["changed"]) == (202, "cancelling", True)
        installation.wait_status(job_id, "cancelled")  # no page under way ends by itself
        job = up.ask("GET", f"/jobs/{job_id}")[1]
        assert (receipt["skipped"], receipt["in_flight"]) == (HELD - in_flight, in_flight)
        kept = ANSWERED + 1 + 2  # the start page, robots.txt and /sitemap.xml
        assert (receipt["done"], receipt["failed"]) == (kept, 0)
        assert job["result"]["counts"] == {"done": kept, "skipped": HELD}
        assert job["result"]["reasons"] == {"cancelled": HELD}
        assert installation.items("claimed") == installation.items("pending") == 0
        site.wait_until(lambda: site.in_flight == 0)
        assert len(site.requests) == answered, "a page was asked for after the cancel"
        assert installation.number("SELECT count(*) FROM crawling_source") == ANSWERED + 1
        assert up.ask("POST", f"/jobs/{job_id}/cancel", {})[1]["changed"] is False
        # What was fetched before is searchable, through the running server that alone holds the index.
        eventually(lambda: installation.number("SELECT count(*) FROM extraction_vectorchange") == 0)
        found = installation.json("search", page_text(7))["results"]
        assert found[0]["source_uri"] == site.url("/stone-7")
        assert up.end() == 0
