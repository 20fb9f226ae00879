"""Fetching a host's robots.txt, its redirects included."""

from urllib.parse import urljoin, urlsplit

import aiohttp

from crawling.errors import BadStatus
from crawling.failures import Limits
from crawling.fetch import fetch
from crawling.robots import RobotsRules, RobotsState

MAX_REDIRECTS = 5  # RFC 9309, section 2.3.1.2


async def robots_fetch(session: aiohttp.ClientSession, url: str, *, limits: Limits) -> RobotsRules:
    """Return the rules of the host of `url`.

    Raises: FetchError when the host cannot be asked or fails (RFC 9309: then nothing may be fetched).
    """
    address = urljoin(url, "/robots.txt")
    for _ in range(MAX_REDIRECTS + 1):
        try:
            fetched = await fetch(session, address, accept_types=None, limits=limits)
        except BadStatus as error:
            rules = RobotsRules.from_reply(error.status)
            if rules.state is RobotsState.UNREACHABLE:
                raise
            return rules
        if not fetched.location:
            return RobotsRules.from_reply(fetched.status, fetched.body)
        address = fetched.location
        if urlsplit(address).scheme not in ("http", "https"):
            break
    return RobotsRules.from_reply(404)


