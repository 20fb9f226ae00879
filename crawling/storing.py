"""Storing pages: called inside the settling transaction, where the job and its items are already locked.

Sources are locked in the order of their URLs, by every writer, so that two jobs meeting on the same pages
wait for each other instead of deadlocking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from crawling import dependants
from crawling.models import Source, SourceContent, SourceHold
from crawling.writes import GoneWrite, PageWrite, Unchanged
from jobs.kinds import JobRef, Outcome
from jobs.models import new_id
from jobs.states import ItemState, Reason
from jobs.storable import storable, storable_text


@dataclass(frozen=True, slots=True)
class Known:
    """A locked source as it stands before this write."""

    id: UUID
    content_hash: str
    is_new: bool


def pages_store(job: JobRef, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Write the pages of these outcomes; return the outcomes with `unchanged` and `duplicate` decided."""
    pages = {outcome.claim.id: outcome.write for outcome in outcomes if isinstance(outcome.write, PageWrite)}
    twins = _duplicates(job, list(pages.values()))
    fresh = {page.url: page for page in pages.values() if page.url not in twins}
    known = _locked(job, fresh)
    changed = {url: known[url] for url, page in fresh.items() if _is_changed(known[url], page)}
    _write_contents(changed, fresh)
    _write_fields(job, fresh, known, changed)
    _hold(job, [row.id for row in known.values()] + _unchanged(outcomes))
    _mark_gone(job, [outcome.write.url for outcome in outcomes if isinstance(outcome.write, GoneWrite)])
    _tell_dependants(job, fresh, changed)
    return [_decided(outcome, twins, known, changed) for outcome in outcomes]


def _duplicates(job: JobRef, pages: Sequence[PageWrite]) -> dict[str, str]:
    """Return url → url of the byte-identical page this job already holds, or that stands earlier in the batch."""
    first: dict[str, str] = {}
    hashes = {page.fields["body_hash"] for page in pages}
    urls = [page.url for page in pages]
    held = Source.objects.filter(
        Q(holds__job_id=job.id) & ~Q(url__in=urls), project_id=job.project_id, body_hash__in=hashes
    )
    first.update(held.values_list("body_hash", "url"))
    mine = Source.objects.filter(holds__job_id=job.id, project_id=job.project_id, url__in=urls)
    own = set(mine.values_list("url", flat=True))  # fetched before by this very job: no twin of another
    twins: dict[str, str] = {}
    for page in pages:
        twin = first.setdefault(page.fields["body_hash"], page.url)
        if twin != page.url and page.url not in own:
            twins[page.url] = twin
    return twins


def _locked(job: JobRef, pages: dict[str, PageWrite]) -> dict[str, Known]:
    """Return the sources of these URLs, created where missing, all locked in URL order."""
    urls = sorted(pages)
    known: dict[str, Known] = {}
    while missing := [url for url in urls if url not in known]:
        own_ids = {url: new_id() for url in missing}
        Source.objects.bulk_create(
            [Source(id=own_ids[url], project_id=job.project_id, job_id=job.id, url=url) for url in missing],
            ignore_conflicts=True,
        )
        # A row seen by the insert may be deleted before it is locked here: then it is made anew.
        rows = Source.objects.select_for_update().filter(project_id=job.project_id, url__in=missing).order_by("url")
        for pk, url, content_hash in rows.values_list("pk", "url", "content_hash"):
            known[url] = Known(pk, content_hash, is_new=pk == own_ids[url])
    return known


def _is_changed(known: Known, page: PageWrite) -> bool:
    return known.is_new or known.content_hash != page.fields["content_hash"]


def _write_contents(changed: dict[str, Known], pages: dict[str, PageWrite]) -> None:
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
    job: JobRef, pages: dict[str, PageWrite], known: dict[str, Known], changed: dict[str, Known]
) -> None:
    for url, row in known.items():
        fields: dict[str, Any] = {name: _fitting(name, pages[url].fields.get(name, "")) for name in _FIELDS}
        if url in changed:
            fields |= {"job_id": job.id, "changed_at": Now(), "status": "ready", "extracted_version": None}
        Source.objects.filter(pk=row.id).update(fetched_at=Now(), gone_at=None, adopted_at=None, **fields)


def _fitting(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    limit = _LENGTHS[name]
    return storable_text(value)[:limit]


def _unchanged(outcomes: Sequence[Outcome]) -> list[UUID]:
    """Return the ids of sources the host called unmodified, locked, as far as they still exist."""
    ids = [outcome.write.source_id for outcome in outcomes if isinstance(outcome.write, Unchanged)]
    if not ids:
        return []
    rows = Source.objects.select_for_update().filter(pk__in=ids).order_by("url")
    found = list(rows.values_list("pk", flat=True))
    Source.objects.filter(pk__in=found).update(fetched_at=Now(), gone_at=None, adopted_at=None)
    return found


def _hold(job: JobRef, source_ids: Sequence[UUID]) -> None:
    SourceHold.objects.bulk_create(
        [SourceHold(source_id=source_id, job_id=job.id) for source_id in source_ids], ignore_conflicts=True
    )


def _mark_gone(job: JobRef, urls: Sequence[str]) -> None:
    if urls:
        rows = Source.objects.filter(project_id=job.project_id, url__in=urls, gone_at__isnull=True)
        locked = list(rows.select_for_update().order_by("url").values_list("pk", flat=True))
        Source.objects.filter(pk__in=locked).update(gone_at=Now())


def _tell_dependants(job: JobRef, pages: dict[str, PageWrite], changed: dict[str, Known]) -> None:
    for dependant in dependants.all_of_them():
        prepared = {row.id: pages[url].prepared[dependant.name] for url, row in changed.items()}
        if prepared:
            dependant.store(project_id=job.project_id, job_id=job.id, prepared=prepared)


def _decided(
    outcome: Outcome, twins: dict[str, str], known: dict[str, Known], changed: dict[str, Known]
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
        return replace(outcome, outcome="unchanged")
    return outcome
