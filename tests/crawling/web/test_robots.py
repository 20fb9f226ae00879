"""robots.txt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawling.web.robots import MAX_ROBOTS_BYTES, RobotsRules, RobotsState

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
