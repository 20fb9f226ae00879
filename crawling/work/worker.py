"""Fetching the items of one host: robots.txt, pace, request, parsing, and the outcome of each.

One worker serves all jobs of its lane, so politeness towards the host holds across jobs.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import aiohttp
from django.conf import settings

from crawling.errors import AskedToWait, ClientStatus, FetchError, Gone, Throttled, TimedOut, WrongContentType
from crawling.pages.content import read_page
from crawling.sources import hosts
from crawling.sources.known import KnownPage, page_stored, pages_known
from crawling.sources.page_write import GoneWrite, Unchanged
from crawling.states import ItemOutcome, ItemType
from crawling.web.fetch import PAGE_TYPES, SITEMAP_TYPES, Fetched, fetch, open_session
from crawling.web.fetch_limits import Limits
from crawling.web.guard import AddressGuard
from crawling.web.politeness import Pace
from crawling.web.robots import RobotsRules
from crawling.web.robots_fetch import robots_fetch
from crawling.web.scope import Scope
from crawling.web.sitemaps import parse_sitemap
from crawling.work import parse_page
from crawling.work.items import SITEMAP_KEY, sitemap_item
from crawling.work.parse_page import Follow, Reading
from crawling.work.redirect import page_redirected, sitemap_redirected
from jobs.registry import kinds
from jobs.registry.kinds import HOST_LANE, Claim, JobRef, NewItem, Outcome
from jobs.states import ItemState, Reason
from jobs.worker.cpu import on_cpu

MAX_CRAWL_DELAY_SECONDS = 60.0  # instead of a longer one: else one page would hold a lane for hours
HAND_SECONDS = 60.0  # no more items are held than the host may be asked for within this time
REST_SECONDS = 10.0  # how long a lane is kept at most, so that the next slice starts after the pause
MAX_SEEN_URLS = 200_000  # per job and slice; beyond that, only the index of the ledger finds duplicates
LIMITS = Limits()
SITEMAP_LIMITS = replace(LIMITS, max_bytes=50 * 1024 * 1024)
USER_AGENT = "Quarry/0.1 (self-hosted crawler)"
ITEM_DEADLINE_SECONDS = 240.0  # waiting in hand and for the longest pause, then the request itself


class HostWorker:
    """Works on the items of one host. See `jobs.registry.kinds.Worker`."""

    item_deadline_seconds = ITEM_DEADLINE_SECONDS

    def __init__(self, netloc: str, database: Any, session: aiohttp.ClientSession, memory: hosts.HostMemory) -> None:
        self.netloc = netloc
        self.database = database
        self.session = session
        self.robots: RobotsRules | None = memory.robots
        self._robots_lock = asyncio.Lock()
        delay = memory.delay_seconds if memory.delay_seconds is not None else settings.QUARRY.crawl_delay_seconds
        self.pace = Pace(
            delay_seconds=delay,
            concurrency=settings.QUARRY.crawl_concurrency,
            slow_down_seconds=memory.slow_down_seconds,
        )
        self.in_hand = 1  # until the host's rules are known
        if memory.robots:
            self._heed(memory.robots)
        self.last_error = ""
        self._wait_reason = Reason.HTTP_5XX
        self._known: dict[tuple[UUID, str], KnownPage] = {}
        self._seen: dict[UUID, dict[str, int]] = defaultdict(dict)
        self._follows: dict[UUID, Scope | None] = {}

    async def begin(self, job: JobRef, claims: Sequence[Claim]) -> None:
        """Look up what earlier jobs stored of these pages."""
        if job.id not in self._follows:
            config = job.payload.get("scope")
            self._follows[job.id] = Scope.from_config(config) if config else None
        urls = [claim.key for claim in claims]
        known = await self.database(pages_known, job.project_id, urls)
        self._known.update({(job.project_id, url): page for url, page in known.items()})

    def on_settled(self, outcomes: Sequence[Outcome]) -> None:
        """Remember which URLs the ledger now has, so that they are not sent to it again."""
        for outcome in outcomes:
            seen = self._seen[outcome.claim.job_id]
            for item in outcome.new_items:
                if item.key in seen or len(seen) < MAX_SEEN_URLS:
                    seen[item.key] = min(item.rank, seen.get(item.key, item.rank))

    async def work(self, job: JobRef, claim: Claim) -> Outcome:
        """Return what became of the claim: a page, a sitemap, or the host's robots.txt."""
        try:
            match claim.data.get("type"):
                case ItemType.ROBOTS:
                    return await self._robots_item(job, claim)
                case ItemType.SITEMAP:
                    return await self._sitemap_item(job, claim)
                case _:
                    return await self._page_item(job, claim)
        except AskedToWait as error:
            return kinds.snoozed(claim, self._wait_reason, after_seconds=error.seconds, detail=error.detail)
        except FetchError as error:
            return self._failure(claim, error)

    # Pages

    async def _page_item(self, job: JobRef, claim: Claim) -> Outcome:
        if not (await self._rules(claim.key)).allowed(claim.key):
            return kinds.skipped(claim, Reason.ROBOTS)
        known = self._known.pop((job.project_id, claim.key), None)
        fetched = await self._fetch(claim.key, known=known)
        follow = self._follow(job, claim)
        if fetched.not_modified and known is not None:
            return await self._unmodified(job, claim, known, follow)
        if fetched.location:
            return page_redirected(claim, fetched, follow)
        read = await on_cpu(parse_page.reply_read, fetched, source_group=_group(job), follow=follow)
        return _page_outcome(job, claim, read)

    def _follow(self, job: JobRef, claim: Claim) -> Follow | None:
        scope = self._follows[job.id]
        if scope is None:
            return None
        return Follow(scope, int(claim.data.get("depth", 0)), self._seen[job.id])

    async def _unmodified(self, job: JobRef, claim: Claim, known: KnownPage, follow: Follow | None) -> Outcome:
        """Follow the links of the stored page: the host sent no new one."""
        result: dict[str, Any] = {"http_status": 304}
        items: list[NewItem] = []
        stored = await self.database(page_stored, known.source_id) if follow is not None else None
        if follow is not None and stored is not None:
            page = await on_cpu(read_page, stored)
            items, outside = parse_page.links_admitted(page, follow)
            result |= {"out_of_scope": outside} if outside else {}
            if not _is_wanted(job, page.language):
                result |= {"language": page.language}
                return kinds.skipped(claim, Reason.LANGUAGE, result=result, new_items=items)
        write = Unchanged(known.source_id, _group(job))
        return kinds.done(claim, outcome=ItemOutcome.UNCHANGED.value, result=result, new_items=items, write=write)

    # Sitemaps and robots.txt

    async def _robots_item(self, job: JobRef, claim: Claim) -> Outcome:
        rules = await self._rules(claim.data["origin"])
        own = f"{claim.data['origin']}/sitemap.xml"
        named = [url for url in rules.sitemaps if url != own]
        items = [sitemap_item(url) for url in named]
        items.append(sitemap_item(own, **({} if own in rules.sitemaps else {"guess": True})))
        return kinds.done(claim, outcome=ItemOutcome.SITEMAP.value, result={"sitemaps": len(named)}, new_items=items)

    async def _sitemap_item(self, job: JobRef, claim: Claim) -> Outcome:
        url = claim.key.removeprefix(SITEMAP_KEY)
        follow = self._follow(job, claim)
        if follow is None or not (await self._rules(url)).allowed(url):
            return kinds.skipped(claim, Reason.ROBOTS)
        try:
            fetched = await self._fetch(url, limits=SITEMAP_LIMITS, accept_types=SITEMAP_TYPES)
        except (Gone, ClientStatus):
            if claim.data.get("guess"):  # a guessed location; a 404 is normal
                return kinds.done(
                    claim, outcome=ItemOutcome.SITEMAP.value, result={"urls": 0, "detail": "The host has no sitemap."}
                )
            raise
        if fetched.location:
            return sitemap_redirected(claim, url, fetched.location)
        sitemap = await on_cpu(parse_sitemap, fetched.body, url)
        pages, outside = await on_cpu(parse_page.urls_admitted, sitemap.urls, follow, depth=1)
        level = int(claim.data.get("level", 0))
        items = [*pages, *parse_page.sitemaps_admitted(sitemap.sitemaps, within=url, level=level)]
        result = {"urls": len(sitemap.urls), "sitemaps": len(sitemap.sitemaps), "is_broken": sitemap.is_broken}
        return kinds.done(
            claim, outcome=ItemOutcome.SITEMAP.value, result={**result, "out_of_scope": outside}, new_items=items
        )

    async def _rules(self, url: str) -> RobotsRules:
        """Return the host's rules. Raises: FetchError if robots.txt cannot be fetched; then no page may be."""
        async with self._robots_lock:
            if self.robots is None:
                async with self.pace.turn():
                    rules = await robots_fetch(self.session, url, limits=LIMITS)
                self.robots = rules
                self._heed(rules)
                await self.database(hosts.robots_remember, self.netloc, rules)
        return self.robots

    def _heed(self, rules: RobotsRules) -> None:
        """Keep to the pause that the rules ask for."""
        asked_for = min(rules.crawl_delay_seconds or 0.0, MAX_CRAWL_DELAY_SECONDS)
        self.pace.delay_seconds = max(self.pace.delay_seconds, asked_for)
        self._fit_hand()

    def _fit_hand(self) -> None:
        """Hold no more items than the host may be asked for in HAND_SECONDS: the last of them has to wait for all."""
        if self.robots is not None:
            most = int(HAND_SECONDS / max(self.pace.pause_seconds, 0.001))
            self.in_hand = max(1, min(self.pace.concurrency, most))

    # The request itself

    async def _fetch(
        self,
        url: str,
        *,
        known: KnownPage | None = None,
        limits: Limits | None = None,
        accept_types: Collection[str] = PAGE_TYPES,
    ) -> Fetched:
        async with self.pace.turn():
            fetched = await fetch(
                self.session,
                url,
                etag=known.etag if known else None,
                last_modified=known.last_modified if known else None,
                accept_types=accept_types,
                limits=limits or LIMITS,
            )
        self.pace.succeeded()
        self._fit_hand()
        return fetched

    def _failure(self, claim: Claim, error: FetchError) -> Outcome:
        reason = Reason(error.reason)
        facts = {"http_status": error.context["status"]} if "status" in error.context else {}
        self.last_error = f"{reason}: {error.detail}"
        if isinstance(error, Throttled):
            self._wait_reason = reason
            seconds = self.pace.overloaded(retry_after_seconds=error.retry_after_seconds)
            self._fit_hand()
            return kinds.snoozed(claim, reason, after_seconds=seconds, detail=error.detail, **facts)
        if isinstance(error, TimedOut):
            self.pace.overloaded()
            self._fit_hand()
        if error.is_temporary:
            return kinds.retryable(claim, reason, detail=error.detail, **facts)
        if isinstance(error, WrongContentType):  # nothing is wrong with it; it just is not a page
            return kinds.skipped(claim, reason, result={"detail": error.detail})
        write = GoneWrite(claim.key) if isinstance(error, Gone) else None
        return kinds.failed(claim, reason, detail=error.detail, write=write, **facts)


def _group(job: JobRef) -> str:
    return str(job.payload.get("source_group", ""))


def _is_wanted(job: JobRef, language: str) -> bool:
    allowed = job.payload.get("allowed_languages") or []
    return not allowed or not language or language.partition("-")[0] in allowed


def _page_outcome(job: JobRef, claim: Claim, read: Reading) -> Outcome:
    if read.page.links.robots_meta.is_noindex:
        return kinds.skipped(claim, Reason.NOINDEX, result=read.result, new_items=read.new_items)
    if read.write is None:
        return kinds.skipped(claim, Reason.EMPTY, result=read.result, new_items=read.new_items)
    if not _is_wanted(job, read.page.language):
        result = {**read.result, "language": read.page.language}
        return kinds.skipped(claim, Reason.LANGUAGE, result=result, new_items=read.new_items)
    return Outcome(claim, ItemState.DONE, "", "", read.result, read.new_items, read.write)


@asynccontextmanager
async def host_worker(lane: str, database: Any) -> AsyncIterator[HostWorker]:
    """Open the worker for one slice of a host's lane, and keep what it learned of the host's pace."""
    netloc = lane.removeprefix(HOST_LANE)
    memory = await database(hosts.host_recall, netloc)
    guard = AddressGuard(settings.QUARRY.crawl_allow_networks)
    session = open_session(guard, user_agent=USER_AGENT, limits=LIMITS)
    async with session:
        worker = HostWorker(netloc, database, session, memory)
        try:
            yield worker
        finally:
            await asyncio.sleep(min(worker.pace.rest_seconds, REST_SECONDS))  # the next slice asks at once
            await database(hosts.pace_remember, netloc, worker.pace.slow_down_seconds, worker.last_error)
