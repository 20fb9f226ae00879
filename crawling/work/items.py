"""The items of crawls and scrapes: which key, lane and rank a page, a sitemap and a robots.txt have."""

from typing import Any

from crawling.states import ItemType
from crawling.web.urls import host_of
from jobs.registry.kinds import HOST_LANE, NewItem

SITEMAP_KEY = "sitemap:"  #: how the keys of items begin that are not pages: sitemaps and robots.txt


def page_item(url: str, *, depth: int, **data: Any) -> NewItem:
    """Return the item that fetches `url`; shallow pages first."""
    return NewItem(key=url, lane=HOST_LANE + host_of(url), rank=depth, data={"depth": depth, **data})


def sitemap_item(url: str, **data: Any) -> NewItem:
    """Return the item that reads the sitemap at `url`, before any page."""
    return _other_item(url, ItemType.SITEMAP, rank=-1, **data)


def robots_item(origin: str) -> NewItem:
    """Return the item that reads the robots.txt of `origin` (scheme, host and port), before any sitemap."""
    return _other_item(f"{origin}/robots.txt", ItemType.ROBOTS, rank=-2, origin=origin)


def _other_item(url: str, item_type: ItemType, *, rank: int, **data: Any) -> NewItem:
    return NewItem(
        key=f"{SITEMAP_KEY}{url}", lane=HOST_LANE + host_of(url), rank=rank, data={"type": item_type.value, **data}
    )
