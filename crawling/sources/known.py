"""What is already stored of pages that are about to be fetched."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from crawling.models import Source, SourceContent
from crawling.web.fetch import Fetched


@dataclass(frozen=True, slots=True)
class KnownPage:
    """The validators that the host sent with a page last time."""

    source_id: UUID
    etag: str
    last_modified: str


def pages_known(project_id: UUID, urls: Sequence[str]) -> dict[str, KnownPage]:
    """Return what is known of those of the URLs whose content is stored and can be asked for conditionally."""
    rows = (
        Source.objects.filter(project_id=project_id, url__in=urls, content__isnull=False, gone_at__isnull=True)
        .order_by()
        .values_list("url", "pk", "etag", "last_modified")
    )
    return {url: KnownPage(pk, etag, modified) for url, pk, etag, modified in rows if etag or modified}


def page_stored(source_id: UUID) -> Fetched | None:
    """Return the stored reply of a source as if it had just been fetched; None if it is gone."""
    row = (
        SourceContent.objects.filter(source_id=source_id)
        .values_list("source__url", "source__http_status", "source__content_type", "headers", "body")
        .first()
    )
    if row is None:
        return None
    url, status, content_type, headers, body = row
    return Fetched(
        url=url, status=status, headers=headers, body=gzip.decompress(bytes(body)), content_type=content_type
    )
