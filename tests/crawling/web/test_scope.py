"""Canonical URLs and the rules of a crawl's scope."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawling.errors import BadScope, BadUrl
from crawling.web.domains import registrable_domain
from crawling.web.patterns import PathPattern
from crawling.web.scope import Admission, Scope
from crawling.web.urls import (
    _ALREADY_CANONICAL,
    MAX_URL_CHARACTERS,
    _checked_parts,
    _network_location,
    _stable,
    canonical_url,
    host_of,
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://EXAMPLE.com:80/a/../b/./c?b=2&a=1&utm_source=x#f", "http://example.com/b/c?a=1&b=2"),
        ("https://example.com:443", "https://example.com/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("http://bücher.de/ä?q=ö", "http://xn--bcher-kva.de/%C3%A4?q=%C3%B6"),
        ("http://faß.de/", "http://xn--fa-hia.de/"),
        ("http://example.com./x", "http://example.com/x"),
        ("http://a.com/%7euser/%c3%a4", "http://a.com/~user/%C3%A4"),
        ("  http://a.com/x y\n", "http://a.com/x%20y"),
        ("http://a.com/?gclid=1&fbclid=2", "http://a.com/"),
        ("http://a.com/?UTM_Campaign=1&q=utm_x", "http://a.com/?q=utm_x"),
        ("http://[0:0::1]:80/", "http://[::1]/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://2130706433:80/x", "http://127.0.0.1/x"),
        ("http://a.com/\udce4", "http://a.com/%E4"),
    ],
)
def test_canonical_url(url, expected):
    assert canonical_url(url) == expected
    assert canonical_url(expected) == expected


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "mailto:a@b.c", "javascript:alert(1)", "/relative", "", "http://", "http:///x",
        "http://user:secret@example.com/", "http://user@example.com/", "http://@example.com/",
        "http://example.com:99999/", "http://example.com:0/", "http://example.com:x/", "http://a..b/",
        "http://exa mple.com/", "http://ex%61mple.com/", "http://[::1/", "http://[fe80::1%25eth0]/",
        "http://example.com/a\nb", "http://example.com/a\x00b", "http://example.com/" + "a" * 2_000,
        "http://" + "a" * 64 + ".com/", "http://example.com/?q=" + "ä" * 400, "http://evil\\@example.com/",
        "http://1.2.3.4.5/", "http://256.1.1.1/",
        "http://a.0x/",
    ],
)  # fmt: skip
def test_bad_urls_say_why(url):
    with pytest.raises(BadUrl) as caught:
        canonical_url(url)
    assert caught.value.detail.endswith(".")
    caught.value.detail.encode()  # fit for any store


def test_an_address_is_as_long_as_it_may_be_and_no_longer():
    longest = "http://example.com/" + "a" * (MAX_URL_CHARACTERS - len("http://example.com/"))
    assert canonical_url(longest) == longest
    for longer in (f"{longest}a", f"{longest}?a", longest + "a" * 4 * MAX_URL_CHARACTERS):
        with pytest.raises(BadUrl, match="at most 2,000 are accepted"):
            canonical_url(longer)


def test_canonical_url_options():
    assert canonical_url("../c?x=1", base="http://a.com/x/y/z") == "http://a.com/x/c?x=1"
    assert canonical_url("http://a.com/?x=1", ignore_query=True) == "http://a.com/"
    assert canonical_url("http://a.com/?sid=1&x=2&sess_a=3", drop_parameters=["sid", "sess_*"]) == "http://a.com/?x=2"
    assert canonical_url("http://a.com/?utm_source=1", drop_parameters=[]) == "http://a.com/?utm_source=1"


URLISH = st.one_of(
    st.text(max_size=80),
    st.builds("http://{}".format, st.text(max_size=60)),
    st.builds("https://example.com/{}".format, st.text(max_size=60)),
    st.text(alphabet="htp:/.%?#&=;@[]aA0%2F%25\\~ é\udc80\x00", max_size=60).map(lambda s: f"http://a.de{s}"),
    st.from_regex(
        r"https?://[a-z.]{1,12}(:[0-9]{1,5})?(/[A-Za-z0-9_.~%-]{0,8}){0,4}(\?[a-z=&%;+]{0,12})?", fullmatch=True
    ),
)


@settings(deadline=None)
@given(URLISH)
def test_canonical_url_is_idempotent_and_raises_only_bad_url(text):
    try:
        url = canonical_url(text)
    except BadUrl:
        return
    assert canonical_url(url) == url
    assert url.isascii() and "#" not in url and len(url) <= 2_000
    assert host_of(url) == url.split("/")[2]


@settings(deadline=None)
@given(st.from_regex(r"https?://[a-z0-9.-]{1,12}(/[A-Za-z0-9_.~-]{0,8}){1,4}", fullmatch=True))
def test_the_shortcut_agrees_with_the_long_way(url):
    if _ALREADY_CANONICAL.fullmatch(url):
        parts = _checked_parts(url)
        assert _stable(f"{parts.scheme}://{_network_location(parts)}{parts.path}") == url


def test_host_of_drops_the_schemes_own_port():
    assert host_of("http://Example.com:80/x") == host_of("https://example.com:443/") == "example.com"
    assert host_of("http://example.com:8080/") == "example.com:8080"
    assert host_of("http://[::1]:81/") == "[::1]:81"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.b.example.com", "example.com"), ("www.example.co.uk", "example.co.uk"), ("x.y.github.io", "y.github.io"),
        ("example.de", "example.de"), ("co.uk", "co.uk"), ("localhost", "localhost"), ("10.0.0.1", "10.0.0.1"),
        ("[::1]", "[::1]"),
    ],
)  # fmt: skip
def test_registrable_domain(host, domain):
    assert registrable_domain(host) == domain


def scope(seed="https://www.example.com/docs/", **config):
    return Scope.from_config({"seeds": [seed], **config})


def test_http_https_and_www_are_one_host():
    rules = scope()
    assert rules.admit("http://example.com/elsewhere", 1) is Admission.IN
    assert rules.admit("https://blog.example.com/", 1) is Admission.OTHER_HOST
    assert rules.admit("https://www.example.com:8443/", 1) is Admission.OTHER_HOST
    assert rules.admit("nonsense", 1) is Admission.BAD_URL


def test_modes():
    assert scope(mode="subdomains").admit("https://a.b.example.com/", 1) is Admission.IN
    assert scope(mode="subdomains").admit("https://badexample.com/", 1) is Admission.OTHER_HOST
    assert (
        scope("https://docs.example.com/", mode="subdomains").admit("https://example.com/", 1) is Admission.OTHER_HOST
    )
    assert scope("https://docs.example.com/", mode="domain").admit("https://example.com/", 1) is Admission.IN
    assert scope("https://a.github.io/", mode="domain").admit("https://b.github.io/", 1) is Admission.OTHER_HOST
    prefix = scope(mode="prefix", path_prefix="/docs/v2")
    assert prefix.admit("https://example.com/docs/v2", 1) is Admission.IN
    assert prefix.admit("https://example.com/docs/v2/x", 1) is Admission.IN
    assert prefix.admit("https://example.com/docs/v20", 1) is Admission.OUTSIDE_PREFIX
    assert scope(mode="prefix").admit("https://example.com/docs", 1) is Admission.IN
    assert scope(mode="prefix").admit("https://example.com/", 1) is Admission.OUTSIDE_PREFIX


@pytest.mark.parametrize("seed", ["https://e.com/guide/start.html", "https://e.com/guide/", "https://e.com/guide"])
def test_without_backward_links_the_crawl_stays_in_the_seeds_folder(seed):
    rules = scope(seed, allow_backward_links=False)
    assert rules.admit("https://e.com/guide/a/b?x=1", 1) is Admission.IN
    assert rules.admit("https://e.com/", 1) is Admission.OUTSIDE_PREFIX
    assert rules.admit("https://e.com/guides/", 1) is Admission.OUTSIDE_PREFIX
    assert scope(seed).admit("https://e.com/", 1) is Admission.IN


def test_patterns_depth_and_their_order():
    rules = scope(include_patterns=["/docs/*"], exclude_patterns=["*.pdf", r"^/docs/v\d+/"], max_depth=2)
    assert rules.admit("https://example.com/docs/a", 2) is Admission.IN
    assert rules.admit("https://example.com/docs/a", 3) is Admission.TOO_DEEP
    assert rules.admit("https://example.com/docs/v1/a", 3) is Admission.EXCLUDED
    assert rules.admit("https://example.com/docs/a.pdf", 1) is Admission.EXCLUDED
    assert rules.admit("https://example.com/about", 3) is Admission.NOT_INCLUDED
    assert rules.admit("https://example.com/en/", 0) is Admission.IN, "where a seed redirects to"
    assert scope("https://e.com/", include_patterns=["/x/*"]).admit("https://e.com/", 5) is Admission.IN, "a seed"


@pytest.mark.parametrize(
    ("pattern", "target", "is_match"),
    [
        ("/docs/*", "/docs/a/b", True), ("docs/*", "/docs/a", True), ("/docs/*", "/docsy/a", False),
        ("/blog", "/blog", True), ("/blog", "/blog/x", True), ("/blog", "/blog?page=2", True),
        ("/blog", "/blogging", False), ("*/print", "/a/b/print", True), ("*.pdf", "/a.pdf?x=1", False),
        ("/v1.2/*", "/v1x2/a", False), ("/a?b=*", "/a?b=1", True), (r"/\d+$", "/a/12", True),
        (".*draft.*", "/x/draft/y", True), ("(blog|news)", "/x/news", True), ("glob:/c++/*", "/c++/x", True),
        ("regex:docs", "/a/docs", True), ("/a(b", None, None), ("(?!x)", None, None), ("  ", None, None),
        ("a" * 501, None, None),
    ],
)  # fmt: skip
def test_patterns(pattern, target, is_match):
    if target is None:
        with pytest.raises(BadScope, match="pattern"):
            PathPattern(pattern)
    else:
        assert PathPattern(pattern).matches(target) is is_match


def test_no_pattern_can_stall_the_crawl():
    pattern = PathPattern(r"^/(a+)+$")  # exponential for a backtracking engine
    assert not any(pattern.matches("/" + "a" * 1_900 + f"!{n}") for n in range(200))


@pytest.mark.parametrize(
    "config",
    [
        {}, {"seeds": []}, {"seeds": "https://a.com/"}, {"seeds": [1]}, {"seeds": ["ftp://a.com/"]},
        {"mode": "galaxy"}, {"max_depth": -1}, {"max_depth": True}, {"max_depth": "3"}, {"path_prefix": "docs"},
        {"path_prefix": "/docs"}, {"include_patterns": "/docs"}, {"exclude_patterns": ["("]},
        {"ignore_query_parameters": "yes"}, {"includes": []}, {"include_patterns": ["/x"] * 101},
    ],
)  # fmt: skip
def test_bad_configs_are_refused_with_a_sentence(config):
    with pytest.raises(BadScope) as caught:
        Scope.from_config(config if "seeds" in config or not config else {"seeds": ["https://a.com/"], **config})
    assert caught.value.detail.endswith(".")


def test_a_config_survives_its_round_trip():
    rules = scope(
        mode="prefix", path_prefix="/docs/", include_patterns=["/docs/*"], max_depth=3, allow_backward_links=False
    )
    assert Scope.from_config(rules.to_config()) == rules
    assert scope("https://a.com/?b=1", ignore_query_parameters=True).seeds == ("https://a.com/",)
