"""The words that crawling stores: what they are called in the database, over REST and in the admin."""

from enum import StrEnum


class SourceStatus(StrEnum):
    """Where a source stands."""

    PENDING = "pending"
    READY = "ready"  #: fetched; nothing was extracted from this content yet
    EXTRACTED = "extracted"  #: every field group was extracted, and something was found
    PARTIAL = "partial"  #: only some field groups were extracted
    SKIPPED = "skipped"
    COMPLETED = "completed"  #: every field group was extracted, and nothing was found
    FAILED = "failed"


class SourceType(StrEnum):
    """Where a source comes from."""

    WEB = "web"


class ItemType(StrEnum):
    """What an item of a crawl asks for; an item without a type asks for a page."""

    ROBOTS = "robots"  #: the host's robots.txt, which names sitemaps
    SITEMAP = "sitemap"


class ItemOutcome(StrEnum):
    """What is said of an item that is done, where there is more to say than that; a new or changed page has none."""

    UNCHANGED = "unchanged"  #: the page is as it was when it was stored
    REDIRECTED = "redirected"  #: the page is elsewhere, which is an item of its own
    SITEMAP = "sitemap"  #: no page but a sitemap, or the robots.txt that names sitemaps
