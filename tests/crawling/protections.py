"""The rules of `crawling` that answer reproduced interleavings and crashes, each with the test that guards it."""

from tests.prove import Change, Protection

STORING = "crawling/sources/store.py"
ARTIFACTS = "crawling/sources/owner.py"
WORKER = "crawling/work/worker.py"
KIND = "crawling/work/kind.py"
REDIRECT = "crawling/work/redirect.py"
READING = "crawling/work/parse_page.py"
PACE = "crawling/web/politeness.py"
INFLATE = "crawling/web/inflate.py"
HOSTS = "crawling/sources/hosts.py"
ADMIN = "crawling/admin.py"
ITEMS = "jobs/ledger/items.py"

LOCK = "Source.objects.select_for_update(no_key=True).filter(wanted"


def rule(rule_id: str, sentence: str, test: str, *changes: Change) -> Protection:
    """Return the protection; `test` is file::test below tests/crawling."""
    return Protection(rule_id, sentence, changes, f"tests/crawling/{test}")


PROTECTIONS = [
    rule(
        "crawl-sitemaps-are-items",
        "Sitemaps are items, there from the first: a job being planned never looks finished.",
        "work/test_kind.py::test_the_first_items_come_with_the_job_and_sitemaps_are_items",
        Change(
            KIND, '            items = [*_robots_items(job.payload["scope"]["seeds"]), *items]\n', "            pass\n"
        ),
    ),
    rule(
        "crawl-moves-up",
        "What is found again on a shorter way and still waits is moved up.",
        "work/test_kind.py::test_a_pending_item_found_nearer_moves_up",
        Change(ITEMS, "            cursor.execute(_MOVE_UP, [*_columns(known), job_id])\n", "            pass\n"),
    ),
    rule(
        "crawl-moves-up-pending-only",
        "Only what still waits is moved up, and nobody waits for it.",
        "work/test_kind.py::test_an_item_under_way_or_done_stays_as_it_is",
        Change(ITEMS, "WHERE w.state = 'pending' AND w.rank > d.rank", "WHERE w.rank > d.rank"),
    ),
    rule(
        "crawl-moves-up-unlocked",
        "Links found once more lock no items.",
        "work/test_kind.py::test_known_items_are_not_locked",
        Change(
            ITEMS,
            "    ON CONFLICT (job_id, key) DO NOTHING\n",
            "    ON CONFLICT (job_id, key) DO UPDATE SET rank = excluded.rank"
            " WHERE jobs_workitem.rank > excluded.rank\n",
        ),
    ),
    rule(
        "source-once",
        "A source is unique per project and URL, whoever stores it at the same moment.",
        "sources/test_storing.py::test_two_jobs_store_the_same_new_pages_once",
        Change(STORING, "        ignore_conflicts=True,\n    )\n    return own_ids", "    )\n    return own_ids"),
    ),
    rule(
        "source-settle-locks",
        "Settles link under the source's lock: one deleted meanwhile is made anew.",
        "sources/test_storing.py::test_a_source_deleted_meanwhile_is_made_anew",
        Change(STORING, LOCK, "Source.objects.filter(wanted"),
    ),
    rule(
        "source-made-anew",
        "A source seen by the insert and deleted before the lock is made anew.",
        "sources/test_storing.py::test_a_source_deleted_meanwhile_is_made_anew",
        Change(STORING, "    while missing := [url for url in urls if url not in known]:", "    while missing := []:"),
    ),
    rule(
        "source-lock-order",
        "Sources are locked in one order, pages, unmodified and gone ones together.",
        "sources/test_storing.py::test_pages_unmodified_and_gone_ones_are_locked_in_one_order",
        Change(STORING, 'project_id=job.project_id).order_by("url")', 'project_id=job.project_id).order_by("-url")'),
    ),
    rule(
        "source-cleanup-locks",
        "A cleanup locks the sources before it decides who else holds them.",
        "sources/test_storing.py::test_a_source_linked_while_its_cleanup_waits_is_kept",
        Change(
            ARTIFACTS, "Source.objects.select_for_update().filter(pk__any=ids)", "Source.objects.filter(pk__any=ids)"
        ),
    ),
    rule(
        "source-cleanup-new-statement",
        "A cleanup decides in a new statement, once it holds the locks.",
        "sources/test_storing.py::test_a_source_linked_while_its_cleanup_waits_is_kept",
        Change(
            ARTIFACTS,
            "        locked = _lock_held(job_id, size)\n        if not locked:\n            return {}\n",
            "        before = dict(SourceHold.objects.exclude(job_id=job_id).values_list('source_id', 'job_id'))\n"
            "        locked = _lock_held(job_id, size)\n        if not locked:\n            return {}\n",
        ),
        Change(
            ARTIFACTS,
            "        shared = _let_go(job_id, locked)\n        kept",
            "        _let_go(job_id, locked)\n        shared = before\n        kept",
        ),
    ),
    rule(
        "source-held-by-fetches",
        "A source is held by the crawl and scrape items that fetched it, never by extract items.",
        "sources/test_storing.py::test_only_jobs_that_fetched_hold",
        Change(
            "extraction/work/kind.py",
            "        extractions_store(job, current)\n",
            "        extractions_store(job, current)\n"
            "        from crawling.models import SourceHold\n"
            "        holds = [SourceHold(source_id=write.source_id, job_id=job.id) for write in current]\n"
            "        SourceHold.objects.bulk_create(holds)\n",
        ),
    ),
    rule(
        "source-held-when-unmodified",
        "A page the host calls unmodified is held by the job that asked.",
        "sources/test_recrawl.py::test_not_modified_is_unchanged_and_its_links_are_followed",
        Change(
            STORING,
            "_hold(job, [*(known[url].id for url in writes.pages), *kept])",
            "_hold(job, [known[url].id for url in writes.pages])",
        ),
    ),
    rule(
        "source-adopted",
        "Adoption is a hold of the project, which no later job's cleanup ends.",
        "sources/test_recrawl.py::test_a_source_adopted_by_the_project_stays_adopted",
        Change(
            STORING,
            "fetched_at=Now(), gone_at=None, **fields)",
            "fetched_at=Now(), gone_at=None, adopted_at=None, **fields)",
        ),
    ),
    rule(
        "source-unmodified-but-deleted",
        "A page called unmodified whose source was deleted meanwhile is fetched again.",
        "sources/test_recrawl.py::test_a_source_deleted_while_its_page_is_asked_for_is_fetched_anew",
        Change(
            STORING,
            "    if isinstance(write, Unchanged) and write.source_id not in kept:",
            "    if False:",
        ),
    ),
    rule(
        "source-changed-is-stale",
        "Changed content is to be extracted again.",
        "sources/test_recrawl.py::test_changed_content_replaces_passages_and_removes_extractions",
        Change(
            STORING,
            '                "status": SourceStatus.READY.value,\n                "extracted_version": None,\n',
        ),
    ),
    rule(
        "source-text-storable",
        "Text is stripped of NUL.",
        "sources/test_storing.py::test_nothing_unstorable_is_written",
        Change(STORING, "text=storable_text(pages[url].text)", "text=pages[url].text"),
    ),
    rule(
        "source-headers-storable",
        "Headers are stripped of NUL.",
        "sources/test_storing.py::test_nothing_unstorable_is_written",
        Change(STORING, "headers=storable(pages[url].headers)", "headers=pages[url].headers"),
    ),
    rule(
        "source-fields-storable",
        "Titles and the like are stripped of NUL and cut to what fits.",
        "sources/test_storing.py::test_nothing_unstorable_is_written",
        Change(STORING, "    return storable_text(value)[:limit]", "    return value"),
    ),
    rule(
        "source-culprit-alone",
        "A page that PostgreSQL refuses fails alone.",
        "work/test_worker.py::test_a_page_that_cannot_be_stored_fails_alone",
        Change(
            "jobs/ledger/settle.py",
            "[outcomes_settle(job_id, [outcome]) for outcome in outcomes]",
            "[_settle_culprit(job_id, outcome, ValueError('?')) for outcome in outcomes]",
        ),
    ),
    rule(
        "crawl-redirect-rules",
        "A redirect's target meets the scope again.",
        "web/test_redirects.py::test_a_redirect_out_of_scope_is_counted_and_not_fetched",
        Change(
            REDIRECT,
            "    if follow is None:\n        items = [page_item(target",
            "    if True:\n        items = [page_item(target",
        ),
    ),
    rule(
        "crawl-robots-first",
        "Nothing is fetched before robots.txt allows it.",
        "web/test_redirects.py::test_a_redirect_meets_robots_txt_again",
        Change(
            WORKER,
            "        if not (await self._rules(claim.key)).allowed(claim.key):\n"
            "            return kinds.skipped(claim, Reason.ROBOTS)\n",
            "        await self._rules(claim.key)\n",
        ),
    ),
    rule(
        "pace-later-for-all",
        "When a host says “later”, requests that already wait their turn do not go out either.",
        "web/test_politeness.py::test_a_host_that_says_later_is_left_alone_meanwhile",
        Change(PACE, "max(self.rest_seconds, self.blocked_seconds)) > 0", "self.rest_seconds) > 0"),
    ),
    rule(
        "pace-from-what-was-sent",
        "The pause counts from when a request really went out: a stalled machine makes up for nothing.",
        "web/test_politeness.py::test_a_machine_that_stalls_shortens_no_pause",
        Change(
            PACE,
            "self._asked_at = time.monotonic()",
            "self._asked_at = self._asked_at + self.pause_seconds if self._asked_at > 0 else time.monotonic()",
        ),
    ),
    rule(
        "pace-across-slices",
        "The pause holds from one slice to the next.",
        "web/test_politeness.py::test_a_delay_holds_from_one_slice_to_the_next",
        Change(
            WORKER, "            await asyncio.sleep(min(worker.pace.rest_seconds, REST_SECONDS))", "            pass"
        ),
    ),
    rule(
        "crawl-robots-life",
        "robots.txt is believed for a day and then fetched again.",
        "sources/test_hosts.py::test_robots_txt_is_remembered_for_a_day",
        Change(HOSTS, " and host.robots_fetched_at > timezone.now() - ROBOTS_LIFE:", ":"),
    ),
    rule(
        "crawl-seen-urls",
        "A worker's memory of URLs it has seen is bounded.",
        "work/test_worker.py::test_a_worker_remembers_only_so_many_urls",
        Change(WORKER, "if item.key in seen or len(seen) < MAX_SEEN_URLS:", "if True:"),
    ),
    rule(
        "fetch-gzip-members",
        "A gzip stream of countless members is not unpacked.",
        "web/test_inflate.py::test_gzip_members_are_joined_up_to_a_limit",
        Change(INFLATE, "if self._members > MAX_GZIP_MEMBERS:", "if False:"),
    ),
    rule(
        "source-first-gone",
        "A page is gone since it was first found gone: a later 404 moves nothing.",
        "sources/test_recrawl.py::test_a_page_stays_gone_since_it_was_first_found_gone",
        Change(STORING, "filter(pk__any=source_ids, gone_at__isnull=True)", "filter(pk__any=source_ids)"),
    ),
    rule(
        "source-original-size",
        "A downloaded original is unpacked no further than a page may be long.",
        "test_admin_sources.py::test_a_download_reads_no_more_than_a_page_may_hold",
        Change(ADMIN, "stream.read(MAX_ORIGINAL_BYTES)", "stream.read()"),
    ),
    rule(
        "fingerprint-linear",
        "A hostile page cannot make the fingerprint of its content take quadratic time.",
        "sources/test_storing.py::test_the_fingerprint_of_a_hostile_page_takes_linear_time",
        Change(READING, 'rb"<[a-zA-Z][^<>]*>"', 'rb"<[a-zA-Z][^>]*>"'),
    ),
]
