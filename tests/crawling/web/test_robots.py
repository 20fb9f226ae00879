"""robots.txt."""

import asyncio
import itertools
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawling.web.fetch import open_session
from crawling.web.fetch_limits import Limits
from crawling.web.guard import AddressGuard
from crawling.web.robots import MAX_ROBOTS_BYTES, RobotsRules, RobotsState
from crawling.web.robots_fetch import MAX_ROBOTS_REDIRECTS, robots_fetch
from tests.helpers.web_server import Reply, redirect, serve

TEXT = b"""\xef\xbb\xbf# hello
User-agent: *
Disallow: /

User-agent: quarry
Disallow: /private
Allow: /private/open
Disallow: /*.pdf$
Crawl-delay: 2.5
Request-rate: 1/4

Sitemap: https://example.com/sitemap.xml
Sitemap: https://example.com/sitemap.xml
Sitemap: /relative.xml
"""


def test_our_group_decides():
    rules = RobotsRules.from_reply(200, TEXT)
    assert rules.state is RobotsState.RULES
    assert rules.allowed("https://example.com/")
    assert not rules.allowed("https://example.com/private/x")
    assert rules.allowed("https://example.com/private/open")
    assert not rules.allowed("https://example.com/a.pdf")
    assert rules.allowed("https://example.com/a.pdf?x=1")
    assert rules.crawl_delay_seconds == 4.0, "the longer of Crawl-delay and Request-rate"
    assert rules.sitemaps == ("https://example.com/sitemap.xml",)


def test_the_rules_survive_being_stored():
    rules = RobotsRules.from_reply(200, TEXT)
    again = RobotsRules(RobotsState(rules.state.value), rules.text)
    assert again == rules
    assert not again.allowed("https://example.com/private/x")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (404, "absent"),
        (403, "absent"),
        (302, "absent"),
        (429, "unreachable"),
        (500, "unreachable"),
        (None, "unreachable"),
    ],
)
def test_without_rules_the_status_decides(status, state):
    rules = RobotsRules.from_reply(status, TEXT)
    assert rules.state == state
    assert rules.allowed("https://example.com/private") is (state == "absent")
    assert rules.crawl_delay_seconds is None and rules.sitemaps == ()


def test_only_whole_lines_within_the_cap_count():
    body = b"User-agent: *\nDisallow: /a\n" + b"#" * (MAX_ROBOTS_BYTES - 40) + b"\nDisallow: /bcdefghijklmnop\n"
    rules = RobotsRules.from_reply(200, body)
    assert not rules.allowed("https://example.com/a")
    assert rules.allowed("https://example.com/b"), "the rule at the cap is dropped, not shortened"


@pytest.mark.parametrize("delay", ["-1", "nan", "inf", "soon", ""])
def test_senseless_delays_are_ignored(delay):
    assert RobotsRules.from_reply(200, f"User-agent: *\nCrawl-delay: {delay}\n".encode()).crawl_delay_seconds is None


@pytest.mark.parametrize(
    ("redirects", "state"),
    [(0, "rules"), (MAX_ROBOTS_REDIRECTS, "rules"), (MAX_ROBOTS_REDIRECTS + 1, "absent")],
)
def test_a_robots_txt_behind_too_many_redirects_counts_as_none(redirects, state):
    """RFC 9309 demands five; what is then still not reached is taken for absent."""

    async def go(url):
        guard = AddressGuard((ip_network("127.0.0.0/8"),))
        async with open_session(guard, user_agent="test") as session:
            return await robots_fetch(session, url, limits=Limits())

    addresses = ["/robots.txt", *(f"/{number}" for number in range(redirects))]
    routes = {address: redirect(target) for address, target in itertools.pairwise(addresses)}
    routes[addresses[-1]] = Reply("User-agent: *\nDisallow: /no", content_type="text/plain")
    with serve(routes) as server:
        rules = asyncio.run(go(server.url("/page")))
        assert server.paths == addresses[: MAX_ROBOTS_REDIRECTS + 1]
    assert rules.state == state
    assert rules.allowed("http://h.test/no") is (state == "absent")


LINES = st.lists(
    st.tuples(st.sampled_from(["User-agent", "Disallow", "Crawl-delay", "Request-rate", "Sitemap", "x"]), st.text())
)


@settings(deadline=None)
@given(
    st.one_of(st.binary(), LINES.map(lambda lines: "\n".join(f"{a}: {b}" for a, b in lines).encode("utf-8", "replace")))
)
def test_parsing_never_raises(body):
    rules = RobotsRules.from_reply(200, body)
    assert isinstance(rules.allowed("https://example.com/a?b=c"), bool)
    assert rules.crawl_delay_seconds is None or rules.crawl_delay_seconds >= 0
    assert all(address.startswith("http") for address in rules.sitemaps)
