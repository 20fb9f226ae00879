"""The items of crawls and scrapes: which key, lane and rank a page or sitemap has."""

from typing import Any

from crawling.web.urls import host_of
from jobs.registry.kinds import HOST_LANE, NewItem


def page_item(url: str, *, depth: int, **data: Any) -> NewItem:
    """Return the item that fetches `url`; shallow pages first."""
    return NewItem(key=url, lane=HOST_LANE + host_of(url), rank=depth, data={"depth": depth, **data})


def sitemap_item(url: str, **data: Any) -> NewItem:
    """Return the item that reads the sitemap at `url`, before any page."""
    return NewItem(key=f"sitemap:{url}", lane=HOST_LANE + host_of(url), rank=-1, data={"type": "sitemap", **data})
