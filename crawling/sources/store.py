"""Storing pages: called inside the settling transaction, where the job and its items are already locked.

Sources are locked in the order of their URLs, by every writer, so that two jobs meeting on the same pages
wait for each other instead of deadlocking.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from crawling.models import Source, SourceContent, SourceHold
from crawling.sources import dependants
from crawling.sources.page_write import GoneWrite, PageWrite, Unchanged
from crawling.states import ItemOutcome, SourceStatus
from jobs.models import WorkItem, new_id
from jobs.postgres.text import storable, storable_text
from jobs.registry.kinds import JobKey, Outcome
from jobs.states import ItemState, Reason

_UNSETTLED = (ItemState.PENDING.value, ItemState.CLAIMED.value)


@dataclass(frozen=True, slots=True)
class LockedSource:
    """A locked source as it stands before this write."""

    id: UUID
    content_hash: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Writes:
    """What the outcomes of a batch ask for: pages by URL, sources reported as unmodified, URLs reported as gone."""

    pages: dict[str, PageWrite]
    unmodified: frozenset[UUID]
    gone: frozenset[str]


def pages_store(job: JobKey, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Write the pages of these outcomes; return the outcomes, now saying which pages are unchanged or duplicates."""
    asked = [outcome.write for outcome in outcomes]
    said_unchanged = [write for write in asked if isinstance(write, Unchanged)]
    unmodified = frozenset(write.source_id for write in said_unchanged)
    twins = _duplicates(job, [write for write in asked if isinstance(write, PageWrite)], unmodified)
    writes = Writes(
        pages={write.url: write for write in asked if isinstance(write, PageWrite) and write.url not in twins},
        unmodified=unmodified,
        gone=frozenset(write.url for write in asked if isinstance(write, GoneWrite)),
    )
    known = _locked(job, writes)
    changed = {url: known[url] for url, page in writes.pages.items() if _is_changed(known[url], page)}
    _write_contents(changed, writes.pages)
    _write_fields(job, known, changed, writes.pages)
    kept = {row.id for row in known.values() if row.id in unmodified}
    _confirm(kept, said_unchanged[0].source_group if said_unchanged else "")
    _hold(job, [*(known[url].id for url in writes.pages), *kept])
    _mark_gone([row.id for url, row in known.items() if url in writes.gone])
    _tell_dependants(job, writes.pages, changed)
    return [_decided(outcome, twins, known, changed, kept) for outcome in outcomes]


def _duplicates(job: JobKey, pages: Sequence[PageWrite], unmodified: frozenset[UUID]) -> dict[str, str]:
    """Return url → url of the byte-identical page that this job holds, will come to, or has earlier in the batch.

    A stored page that the job has yet to come to counts, and one in the batch precedes those that are new, so that
    which of two equal pages is the source does not depend on whose reply is faster.
    """
    if not pages:
        return {}
    hashes = {page.fields["body_hash"] for page in pages}
    urls = [page.url for page in pages]
    mine = Source.objects.filter(Q(holds__job_id=job.id) | Q(pk__any=unmodified), project_id=job.project_id)
    ahead = WorkItem.objects.filter(job_id=job.id, key=OuterRef("url"), state__in=_UNSETTLED)
    stored = Source.objects.filter(Exists(ahead), project_id=job.project_id, gone_at__isnull=True)
    first: dict[str, str] = {}
    for known in (stored, mine):
        others = known.filter(body_hash__in=hashes).exclude(url__in=urls)
        first.update(others.values_list("body_hash", "url"))
    alike = Source.objects.filter(project_id=job.project_id, body_hash__in=hashes, gone_at__isnull=True)
    stored_urls = set(alike.filter(url__in=urls).values_list("url", flat=True))
    own = set(mine.filter(url__in=urls).values_list("url", flat=True))  # fetched by this very job before: no twins
    twins: dict[str, str] = {}
    for page in sorted(pages, key=lambda page: page.url not in stored_urls):
        twin = first.setdefault(page.fields["body_hash"], page.url)
        if twin != page.url and page.url not in own:
            twins[page.url] = twin
    return twins


def _locked(job: JobKey, writes: Writes) -> dict[str, LockedSource]:
    """Return the sources these writes are about, those of pages created where missing, all locked in URL order."""
    urls = sorted(writes.pages)
    others = Q(pk__any=writes.unmodified) | Q(url__in=writes.gone)
    known = _lock(job, _create(job, urls), others)
    while missing := [url for url in urls if url not in known]:  # seen by the insert, deleted before the lock
        known |= _lock(job, _create(job, missing))
    return known


def _create(job: JobKey, urls: Sequence[str]) -> dict[str, UUID]:
    """Insert a source for each URL that has none; return the ids that new ones have."""
    own_ids = {url: new_id() for url in urls}
    Source.objects.bulk_create(
        [Source(id=own_ids[url], project_id=job.project_id, job_id=job.id, url=url) for url in urls],
        ignore_conflicts=True,
    )
    return own_ids


def _lock(job: JobKey, own_ids: dict[str, UUID], others: Q | None = None) -> dict[str, LockedSource]:
    wanted = Q(url__in=own_ids)
    if others is not None:
        wanted |= others
    rows = Source.objects.select_for_update(no_key=True).filter(wanted, project_id=job.project_id).order_by("url")
    return {
        url: LockedSource(pk, content_hash, is_new=pk == own_ids.get(url))
        for pk, url, content_hash in rows.values_list("pk", "url", "content_hash")
    }


def _is_changed(known: LockedSource, page: PageWrite) -> bool:
    return known.is_new or known.content_hash != page.fields["content_hash"]


def _write_contents(changed: dict[str, LockedSource], pages: dict[str, PageWrite]) -> None:
    SourceContent.objects.bulk_create(
        [
            SourceContent(
                source_id=row.id,
                body=pages[url].body,
                charset=pages[url].charset,
                headers=storable(pages[url].headers),
                text=storable_text(pages[url].text),
            )
            for url, row in changed.items()
        ],
        update_conflicts=True,
        unique_fields=["source"],
        update_fields=["body", "charset", "headers", "text"],
    )


_FIELDS = (
    "source_group", "title", "author", "language", "published", "modified", "http_status", "content_type",
    "etag", "last_modified", "content_hash", "body_hash", "size_bytes",
)  # fmt: skip
_LENGTHS = {name: getattr(Source._meta.get_field(name), "max_length", None) for name in _FIELDS}


def _write_fields(
    job: JobKey, known: dict[str, LockedSource], changed: dict[str, LockedSource], pages: dict[str, PageWrite]
) -> None:
    for url, page in pages.items():
        fields: dict[str, Any] = {name: _fitting(name, page.fields.get(name, "")) for name in _FIELDS}
        if url in changed:
            fields |= {
                "job_id": job.id,
                "changed_at": Now(),
                "status": SourceStatus.READY.value,
                "extracted_version": None,
            }
        Source.objects.filter(pk=known[url].id).update(fetched_at=Now(), gone_at=None, **fields)


def _fitting(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    limit = _LENGTHS[name]
    return storable_text(value)[:limit]


def _confirm(source_ids: Collection[UUID], source_group: str) -> None:
    """Note that the host reported these sources as unmodified; like fetched pages, they move to the job's group."""
    if not source_ids:
        return
    changes: dict[str, Any] = {"source_group": _fitting("source_group", source_group)} if source_group else {}
    Source.objects.filter(pk__any=source_ids).update(fetched_at=Now(), gone_at=None, **changes)


def _hold(job: JobKey, source_ids: Collection[UUID]) -> None:
    SourceHold.objects.bulk_create(
        [SourceHold(source_id=source_id, job_id=job.id) for source_id in source_ids], ignore_conflicts=True
    )


def _mark_gone(source_ids: Collection[UUID]) -> None:
    if source_ids:
        Source.objects.filter(pk__any=source_ids, gone_at__isnull=True).update(gone_at=Now())


def _tell_dependants(job: JobKey, pages: dict[str, PageWrite], changed: dict[str, LockedSource]) -> None:
    for dependant in dependants.all_of_them():
        prepared = {row.id: pages[url].prepared[dependant.name] for url, row in changed.items()}
        if prepared:
            dependant.store(project_id=job.project_id, job_id=job.id, prepared=prepared)


def _decided(
    outcome: Outcome,
    twins: dict[str, str],
    known: dict[str, LockedSource],
    changed: dict[str, LockedSource],
    kept: Collection[UUID],
) -> Outcome:
    write = outcome.write
    if isinstance(write, PageWrite) and write.url in twins:
        return replace(
            outcome,
            state=ItemState.SKIPPED,
            reason=Reason.DUPLICATE.value,
            outcome="",
            result={**outcome.result, "duplicate_of": twins[write.url]},
        )
    if isinstance(write, PageWrite) and write.url in known and write.url not in changed:
        return replace(outcome, outcome=ItemOutcome.UNCHANGED.value)
    if isinstance(write, Unchanged) and write.source_id not in kept:  # deleted meanwhile: fetch it as a new page
        return replace(outcome, state=ItemState.PENDING, outcome="", retry_after_seconds=0.0)
    return outcome
