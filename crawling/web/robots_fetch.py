"""Fetching a host's robots.txt, its redirects included."""

from urllib.parse import urljoin

import aiohttp

from crawling.errors import BadStatus, BadUrl
from crawling.web.fetch import fetch
from crawling.web.fetch_limits import Limits
from crawling.web.robots import RobotsRules, RobotsState
from crawling.web.urls import canonical_url

MAX_ROBOTS_REDIRECTS = 5  # RFC 9309, section 2.3.1.2


async def robots_fetch(session: aiohttp.ClientSession, url: str, *, limits: Limits) -> RobotsRules:
    """Return the rules of the host of `url`.

    Raises: FetchError when the host cannot be asked or fails (RFC 9309: then nothing may be fetched).
    """
    address = urljoin(url, "/robots.txt")
    for _ in range(MAX_ROBOTS_REDIRECTS + 1):
        try:
            fetched = await fetch(session, address, accept_types=None, limits=limits)
        except BadStatus as error:
            rules = RobotsRules.from_reply(error.status)
            if rules.state is RobotsState.UNREACHABLE:
                raise
            return rules
        if not fetched.location:
            return RobotsRules.from_reply(fetched.status, fetched.body)
        try:
            address = canonical_url(fetched.location)
        except BadUrl:
            break  # it leads nowhere: as good as none
    return RobotsRules.from_reply(404)
