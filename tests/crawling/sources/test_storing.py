"""Storing pages against everybody else who writes the same sources at the same moment."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from crawling.models import Source, SourceContent, SourceHold
from crawling.sources import dependants
from crawling.sources import store as storing
from crawling.sources.owner import SourceOwner
from crawling.sources.page_write import GoneWrite, Unchanged
from crawling.web.fetch import Fetched
from crawling.work.parse_page import content_fingerprint, reply_read
from extraction.models import Passage
from jobs.ledger.items import items_add
from jobs.ledger.moves import job_lock
from jobs.models import Job, Project, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import Claim, JobRef, NewItem, Outcome
from jobs.states import ItemState, JobStatus
from jobs.worker import runner
from tests.helpers.crawls import crawl, crawl_start, html, items, lanes_of, sources
from tests.helpers.factories import PATIENCE_SECONDS, status_fields
from tests.helpers.threads import Side
from tests.helpers.web_server import serve

pytestmark = pytest.mark.django_db(transaction=True)
InThread = Callable[..., Side]


def make_job(project: Project) -> JobRef:
    """Return a running crawl without items."""
    job = Job.objects.create(project=project, kind="crawl", payload={"source_group": "g"})
    Job.objects.filter(pk=job.pk).update(**status_fields(JobStatus.RUNNING))
    return JobRef(job.pk, project.pk, "crawl", job.payload)


def fetched(job: JobRef, path: str, text: str = "") -> Outcome:
    """Return the outcome of a page of its own, or saying `text`."""
    reply = Fetched(
        url=f"http://h.test{path}", status=200, body=html(path, text=text).encode(), content_type="text/html"
    )
    read = reply_read(reply, source_group="g", follow=None)
    return kinds.done(claim_of(job, reply.url), write=read.write)


def claim_of(job: JobRef, url: str) -> Claim:
    return Claim(hash(url), job.id, url, uuid4(), 0, 0, 0, {})


def store(job: JobRef, outcomes: Sequence[Outcome], *, after: Callable[[], Any] = lambda: None) -> list[str]:
    """Settle as the ledger does, the job locked first; `after` runs before the commit."""
    with transaction.atomic():
        assert job_lock(job.id)
        final = storing.pages_store(job, outcomes)
        after()
    return [f"{one.state}:{one.reason or one.outcome}" for one in final]


def test_two_jobs_store_the_same_new_pages_once(project: Project, in_thread: InThread) -> None:
    """The second waits for the first, in whatever order the two found the pages."""
    first, second = make_job(project), make_job(project)
    paths = [f"/{n}" for n in range(20)]
    mine = [fetched(first, path) for path in paths]
    theirs = [fetched(second, path) for path in reversed(paths)]
    sides: list[Side] = []

    def start_the_other() -> None:
        sides.append(in_thread(store, second, theirs))
        sides[0].wait_blocked()

    assert set(store(first, mine, after=start_the_other)) == {"done:"}
    assert set(sides[0].result()) == {"done:unchanged"}
    assert len(sources(project)) == 20
    assert SourceHold.objects.count() == 40
    assert Source.objects.filter(job_id=first.id).count() == 20


def test_pages_unmodified_and_gone_ones_are_locked_in_one_order(project: Project, in_thread: InThread) -> None:
    """One job writes /a and hears that /z is unmodified, the other the reverse: neither holds what the other needs."""
    base, first, second = make_job(project), make_job(project), make_job(project)
    store(base, [fetched(base, "/a"), fetched(base, "/m"), fetched(base, "/z")])
    known = {path: row.pk for path, row in sources(project).items()}

    def unmodified(job: JobRef, path: str) -> Outcome:
        write = Unchanged(known[path], "")
        return kinds.done(claim_of(job, f"http://h.test{path}"), outcome="unchanged", write=write)

    one = [fetched(first, "/z", text="new"), unmodified(first, "/a")]
    two = [fetched(second, "/a", text="new"), unmodified(second, "/z")]
    with transaction.atomic():
        # Whoever comes first to /a is held up there; with one order it holds nothing else by then.
        Source.objects.select_for_update().get(pk=known["/a"])
        sides = [in_thread(store, first, one), in_thread(store, second, two)]
        for side in sides:
            side.wait_blocked()
        list(Source.objects.select_for_update(nowait=True).filter(pk__in=[known["/m"], known["/z"]]))
    assert [side.result() for side in sides] == [["done:", "done:unchanged"]] * 2


def test_two_crawls_of_one_site_at_once(project: Project, in_thread: InThread) -> None:
    """Real slices: the lane lets one at a time work, and both jobs hold every page in the end."""
    routes = {"/": html("Start", *(f"/{n}" for n in range(15)))} | {f"/{n}": html(f"P {n}") for n in range(15)}
    with serve(routes) as server:
        ids = [crawl_start(project, server.url("/", host=host)) for host in ("localhost", "localhost")]
        lane = lanes_of(ids[0])[0]
        sides = [in_thread(runner.slice_run, lane_id=lane) for _ in range(2)]
        assert sum(side.result() for side in sides) == 32
    jobs = [Job.objects.get(pk=job_id) for job_id in ids]
    assert [job.status for job in jobs] == ["completed"] * 2
    assert len(sources(project)) == 16
    assert SourceHold.objects.count() == 32
    assert [set(items(job).values()) <= {"done", "done:unchanged"} for job in jobs] == [True, True]


def test_a_source_deleted_meanwhile_is_made_anew(
    project: Project, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settle saw the row when inserting, waits for the delete that holds it by then, and finds it gone."""
    first, second = make_job(project), make_job(project)
    store(first, [fetched(first, "/a")])
    old = sources(project)["/a"].pk
    inserted, go_on, real = threading.Event(), threading.Event(), storing._create

    def create_and_wait(job: JobRef, urls: Sequence[str]) -> Any:
        ids = real(job, urls)
        inserted.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return ids

    monkeypatch.setattr(storing, "_create", create_and_wait)
    side = in_thread(store, second, [fetched(second, "/a")])
    assert inserted.wait(PATIENCE_SECONDS)
    with transaction.atomic():
        assert SourceOwner().remove_chunk(first.id, size=10)["sources"].deleted == 1
        go_on.set()
        side.wait_blocked()
    assert side.result() == ["done:"]
    new = sources(project)["/a"]
    assert new.pk != old
    assert (new.job_id, SourceContent.objects.get().source_id) == (second.id, new.pk)
    assert set(Passage.objects.values_list("source_id", flat=True)) == {new.pk}


def test_a_source_linked_while_its_cleanup_waits_is_kept(project: Project, in_thread: InThread) -> None:
    first, second = make_job(project), make_job(project)
    store(first, [fetched(first, "/a")])

    def remove() -> Any:
        with transaction.atomic():
            return SourceOwner().remove_chunk(first.id, size=10)["sources"]

    sides: list[Side] = []

    def start_the_cleanup() -> None:
        sides.append(in_thread(remove))
        sides[0].wait_blocked()

    assert store(second, [fetched(second, "/a")], after=start_the_cleanup) == ["done:unchanged"]
    removed = sides[0].result()
    assert (removed.deleted, removed.kept_shared) == (0, 1)
    assert list(SourceHold.objects.values_list("job_id", flat=True)) == [second.id]


def test_an_unmodified_source_that_is_gone_is_fetched_again(project: Project) -> None:
    job = make_job(project)
    claim = claim_of(job, "http://h.test/a")
    outcome = kinds.done(claim, outcome="unchanged", new_items=[kinds.NewItem("x", "l")], write=Unchanged(uuid4(), ""))
    with transaction.atomic():
        [final] = storing.pages_store(job, [outcome])
    assert (final.state, final.outcome, final.burns_attempt) == (ItemState.PENDING, "", False)
    assert final.new_items == outcome.new_items  # the worker takes them for added


def test_the_first_of_identical_pages_in_a_batch_stays(project: Project) -> None:
    job = make_job(project)
    twins = [fetched(job, path, text="same") for path in ("/b", "/a")]
    body = twins[0].write.fields["body_hash"]
    for twin in twins:
        twin.write.fields["body_hash"] = body
    assert store(job, twins) == ["done:", "skipped:duplicate"]
    assert set(sources(project)) == {"/b"}
    assert store(job, twins) == ["done:unchanged", "skipped:duplicate"]  # and again when it is settled again


def test_gone_marks_no_other_project(project: Project) -> None:
    other = Project.objects.create(name="Other")
    mine, theirs = make_job(project), make_job(other)
    store(mine, [fetched(mine, "/a")])
    store(theirs, [fetched(theirs, "/a")])
    claim = claim_of(mine, "http://h.test/a")
    store(mine, [Outcome(claim, ItemState.FAILED, "gone", write=GoneWrite(claim.key))])
    assert sources(project)["/a"].gone_at is not None
    assert sources(other)["/a"].gone_at is None


def test_a_crash_of_a_dependant_leaves_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(project)
    outcome = fetched(job, "/a")

    def broken(**arguments: Any) -> None:
        raise RuntimeError("the passages cannot be written")

    monkeypatch.setattr(dependants.all_of_them()[0], "store", broken, raising=True)
    with pytest.raises(RuntimeError):
        store(job, [outcome])
    assert not Source.objects.exists()
    assert not SourceContent.objects.exists()


def test_only_jobs_that_fetched_hold(project: Project) -> None:
    """Extraction of a source holds nothing: sources are held by crawl and scrape items only."""
    with serve({"/": html("Start", head='<script type="application/ld+json">{"@type": "Article"}</script>')}) as server:
        job = crawl(project, server.url("/"), auto_extract=True)
        child = Job.objects.get(parent=job)
        assert [runner.slice_run(lane_id=lane) for lane in lanes_of(child.pk)] == [1]
    assert Job.objects.get(pk=child.pk).status in ("completed", "failed")
    assert list(SourceHold.objects.values_list("job_id", flat=True)) == [job.pk]


def test_nothing_unstorable_is_written(project: Project) -> None:
    """Whatever let it through until here: a page is stored without NUL and lone surrogates, cut to what fits."""
    job = make_job(project)
    outcome = fetched(job, "/a")
    poison = "\x00a\ud800"
    fields = {**outcome.write.fields, "title": poison * 500, "author": poison, "etag": poison}
    write = replace(outcome.write, fields=fields, text=poison, headers={poison: poison})
    assert store(job, [replace(outcome, write=write)]) == ["done:"]
    stored = sources(project)["/a"]
    assert (stored.title, stored.author, stored.etag) == ("a?" * 250, "a?", "a?")
    content = SourceContent.objects.get()
    assert (content.text, content.headers) == ("a?", {"a?": "a?"})


# The fingerprint of content


def test_the_fingerprint_sees_structured_data_and_no_noise() -> None:
    page = b'<p>x</p><script nonce="1">var a</script>'
    same = content_fingerprint("h", page)
    assert content_fingerprint("h", page.replace(b'nonce="1"', b'nonce="2"')) == same
    assert content_fingerprint("h", page + b'<meta name="csrf-token" content="3">') == same
    assert content_fingerprint("other", page) != same
    seen = {same}
    for extra in (
        b'<SCRIPT type="application/LD+json">{"a": 1}</SCRIPT>',
        b'<script type="application/ld+json">{"a": 2}',
        b'<meta property="og:title" content="a">',
        b'<meta name="description" content="a">',
        b'<span itemprop="price" content="9">9</span>',
        b'<span itemprop="price" content="8">9</span>',
    ):
        seen.add(content_fingerprint("h", page + extra))
    assert len(seen) == 7


@pytest.mark.parametrize(
    "unit", [b"<meta ", b"<script type=ld+json>", b" itemprop=", b"<a itemprop=", b"<script ld+json", b"<"]
)
def test_the_fingerprint_of_a_hostile_page_takes_linear_time(unit: bytes) -> None:
    """A page ten times as long takes about ten times as long, and not a hundred times."""

    def seconds(size: int) -> float:
        body = b"<p itemprop=x " + unit * (size // len(unit))
        began = time.process_time()
        content_fingerprint("h", body)
        return time.process_time() - began

    quickest = min(seconds(10_000) for _ in range(5))
    assert min(seconds(100_000) for _ in range(3)) < 40 * quickest


def test_a_page_that_the_job_has_yet_to_come_to_is_the_source_of_its_twin(project: Project) -> None:
    """Else it would depend on whose reply is faster which of two equal pages is kept at a re-crawl."""
    first, second = make_job(project), make_job(project)
    assert store(first, [fetched(first, "/a", "same")]) == ["done:"]
    with transaction.atomic():
        items_add(second.id, [NewItem("http://h.test/a", "host:h.test")])
    twin = fetched(second, "/a", "same")
    twin = replace(twin, claim=claim_of(second, "http://h.test/b"), write=replace(twin.write, url="http://h.test/b"))
    assert store(second, [twin]) == ["skipped:duplicate"]
    WorkItem.objects.filter(job_id=second.id).delete()
    assert store(second, [twin]) == ["done:"]


def test_a_stored_page_is_the_source_of_its_new_twin_in_the_same_batch(project: Project) -> None:
    first, second = make_job(project), make_job(project)
    known = fetched(first, "/b", "same")
    assert store(first, [known]) == ["done:"]
    known = replace(known, claim=claim_of(second, "http://h.test/b"))
    twin = replace(known, claim=claim_of(second, "http://h.test/a"), write=replace(known.write, url="http://h.test/a"))
    assert store(second, [twin, known]) == ["skipped:duplicate", "done:unchanged"]
    assert set(sources(project)) == {"/b"}
