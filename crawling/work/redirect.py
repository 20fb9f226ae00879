"""Redirects: a target is not fetched on the spot but becomes an item, which meets scope, robots.txt and guard anew."""

from dataclasses import replace
from typing import Any

from crawling.errors import BadUrl, RedirectLoop
from crawling.states import ItemOutcome
from crawling.web.fetch import Fetched
from crawling.web.urls import canonical_url
from crawling.work import parse_page
from crawling.work.items import page_item, sitemap_item
from crawling.work.parse_page import Follow
from jobs.registry import kinds
from jobs.registry.kinds import Claim, Outcome

MAX_REDIRECTS = 10  # one after another, before a page


def page_redirected(claim: Claim, fetched: Fetched, follow: Follow | None) -> Outcome:
    """Return the outcome of a page whose reply is a redirect, with its target as a new item if that is in scope.

    Raises: RedirectLoop (also after more than MAX_REDIRECTS, or when the target is no web address).
    """
    assert fetched.location is not None
    via = [*claim.data.get("via", []), claim.key]
    scope = follow.scope if follow else None
    try:
        target = scope.canonical(fetched.location) if scope else canonical_url(fetched.location)
    except BadUrl as error:
        raise RedirectLoop(f"It redirects to something that is not a web address: {error.detail}") from error
    if target in via or len(via) > MAX_REDIRECTS:
        raise RedirectLoop(f"Its redirects go in a circle or never end: {' → '.join([*via[-3:], target])}.")
    result: dict[str, Any] = {"http_status": fetched.status, "location": target}
    depth = int(claim.data.get("depth", 0))
    if follow is None:
        items = [page_item(target, depth=depth, via=via)]
    else:
        items, outside = parse_page.urls_admitted([target], replace(follow, seen={}), depth=depth, via=via)
        result |= {"out_of_scope": outside} if outside else {}
    return kinds.done(claim, outcome=ItemOutcome.REDIRECTED.value, result=result, new_items=items)


def sitemap_redirected(claim: Claim, url: str, location: str) -> Outcome:
    """Return the outcome of a sitemap that moved, with its new address as an item; a second redirect is not followed.

    Raises: BadUrl.
    """
    target = canonical_url(location)
    data = {name: claim.data[name] for name in ("guess", "level") if name in claim.data}
    items = [] if claim.data.get("via") else [sitemap_item(target, **data, via=[url])]
    return kinds.done(claim, outcome=ItemOutcome.REDIRECTED.value, result={"location": target}, new_items=items)
