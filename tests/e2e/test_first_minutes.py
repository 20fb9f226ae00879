"""The first ten minutes: what works without reading, and what a wrong call answers."""

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.installation import Installation, serves
from tests.helpers.sites import page_text, quarry_site
from tests.helpers.web_server import serve


def sentence(errors: str) -> str:
    """Return what a refused command said: one line for people, no traceback."""
    lines = [line for line in errors.splitlines() if line.strip()]
    assert len(lines) == 1, errors
    assert lines[0].endswith("."), errors
    return lines[0]


def test_crawl_needs_nothing_but_an_address(new_installation: Installation) -> None:
    """On the first day: no `up`, no migration, no project; and then search finds the page."""
    with serve(quarry_site(6, delay_seconds=0.0)) as site:
        done = new_installation.json("crawl", site.url("/"))
    assert (done["status"], done["counts"], done["result"]["sources"]) == ("completed", {"done": 8}, 6)
    assert done["urls_found"] == 8
    extraction = done["chained"][0]
    assert extraction["counts"] == {"done": 6}
    found = new_installation.json("search", page_text(4))
    assert found["results"][0]["source_uri"] == site.url("/stone-4")
    listed = new_installation.json("jobs")["jobs"]
    assert {(job["type"], job["status"]) for job in listed} == {("crawl", "completed"), ("extract", "completed")}


def test_an_extraction_that_finds_nothing_says_why(installation: Installation) -> None:
    with serve({"/": "<p>Nothing but a few plain words stand here.</p>"}) as site:
        done = installation.json("crawl", site.url("/"))
    extraction = done["chained"][0]
    assert (extraction["status"], extraction["result"]["extractions"]) == ("completed", 0)
    note = extraction["result"]["note"]
    assert "no LLM configured" in note
    assert "searchable" in note


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("crawl", "no address"), 2, "not a web address"),
        (("crawl", "ftp://example.org/"), 2, "http"),
        (("crawl", "https://example.org/", "--project", "nobody's"), 2, "There is no project"),
        (("crawl", "http://10.1.2.3/"), 2, "CRAWL_ALLOW_NETWORKS"),
        (("cancel", "01890000-0000-7000-8000-000000000000"), 2, "There is no job"),
        (("search", " "), 2, "empty"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_call_is_refused_with_one_sentence(
    installation: Installation, arguments: tuple[str, ...], code: int, words: str
) -> None:
    refused = installation.run(*arguments, code=code)
    assert words in sentence(refused.stderr)
    assert refused.stdout == ""
    assert installation.number("SELECT count(*) FROM jobs_job") == 0


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    installation = Installation(tmp_path / "file" / "home")
    refused = installation.run("up", "--port", "0", code=1)
    assert str(tmp_path / "file") in sentence(refused.stderr)


def test_a_bench_that_does_not_exist_is_refused(new_installation: Installation) -> None:
    refused = new_installation.run("bench", "nothing", code=2)
    assert "sites, search, cancel, ledger" in sentence(refused.stderr)
    assert refused.stdout == ""


def test_a_busy_port_is_named(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = installation.run("up", "--port", str(port), code=1)
    assert f"Port {port}" in sentence(refused.stderr)
    assert not (installation.path / "up.json").exists()


def test_a_second_up_is_refused_and_a_later_start_is_quicker_than_the_first(
    installation: Installation, first_start: tuple[Path, float], record_property: Callable[[str, object], None]
) -> None:
    up = installation.up()
    seconds = up.started_in_seconds
    record_property("seconds_to_admin", round(seconds, 2))
    print(f"`up` served the admin after {seconds:.1f} s, at its very first start after {first_start[1]:.1f} s")
    announced = json.loads((installation.path / "up.json").read_text())
    refused = installation.run("up", "--port", "0", code=3)
    assert "stop it" in sentence(refused.stderr)
    assert json.loads((installation.path / "up.json").read_text()) == announced, (
        "the second one took the first one's place"
    )
    assert serves(f"{up.url}/health")
    assert up.end() == 0
    assert not (installation.path / "up.json").exists()
    for _ in range(4):  # it is about `up`, not about what else the machine does at the moment
        if seconds < first_start[1]:
            break
        again = installation.up()
        seconds = min(seconds, again.started_in_seconds)
        assert again.end() == 0
    assert seconds < first_start[1], "a start does again what only the very first one has to do"


def worker_backends(installation: Installation) -> list[int]:
    """Return the pids of the PostgreSQL backends that hold the workers' lock: one while somebody works."""
    statement = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted"
    return [row[0] for row in installation.query(statement, 0x51A7701)]


def test_a_command_beside_up_leaves_the_work_to_it(installation: Installation) -> None:
    with serve(quarry_site(10, delay_seconds=0.02)) as site:
        up = installation.up()
        worker = worker_backends(installation)
        assert len(worker) == 1
        done = installation.json("crawl", site.url("/"), "--no-extract")
        assert (done["status"], done["counts"]) == ("completed", {"done": 12})
        assert worker_backends(installation) == worker, "the work changed hands"
        assert up.end() == 0


def test_two_commands_at_once_both_finish(installation: Installation) -> None:
    with serve(quarry_site(20, delay_seconds=0.02)) as one, serve(quarry_site(12, delay_seconds=0.02)) as other:
        sites = {one.url("/"): 22, other.url("/"): 14}
        commands = {url: installation.start("crawl", url, "--json", errors=subprocess.PIPE) for url in sites}
        for url, command in commands.items():
            out, err = command.communicate(timeout=120)
            assert command.returncode == 0, err
            done = json.loads(out)
            assert (done["status"], done["counts"]) == ("completed", {"done": sites[url]})
            assert done["chained"][0]["status"] == "completed"
    assert installation.number("SELECT count(*) FROM crawling_source") == 32
