"""The sample site keeps its word: what a plain crawler finds is what the manifest promises."""

import hashlib
import re
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

import pytest
from selectolax.lexbor import LexborHTMLParser as Tree

from config.demo.sample_site import ExpectedOutcome, SampleSite
from config.demo.sample_site.manifest import LARGE_PATH, SITEMAP_ONLY_PATH, SLOW_PATH

SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


class Anchors(HTMLParser):
    """Collects the `href` of every `<a>`."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag == "a" and dict(attrs).get("href"):
            self.found.append(dict(attrs)["href"])


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes
    seconds: float
    links: set = field(default_factory=set)


@dataclass
class Walk:
    answers: dict = field(default_factory=dict)  # path -> Answer
    outside: set = field(default_factory=set)
    refused: set = field(default_factory=set)  # paths robots.txt closes


OPENER = urllib.request.build_opener(NoRedirects, urllib.request.ProxyHandler({}))


def get(url, *, method="GET", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=names)
    started = time.monotonic()
    try:
        with OPENER.open(request, timeout=10) as reply:
            return Answer(reply.status, dict(reply.headers), reply.read(), time.monotonic() - started)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read(), time.monotonic() - started)


def walk(base, seeds, *, so_far=None):
    robots = RobotFileParser()
    robots.parse(get(f"{base}/robots.txt").body.decode().splitlines())
    result = Walk(dict(so_far.answers), set(so_far.outside), set(so_far.refused)) if so_far else Walk()
    waiting = list(seeds)
    while waiting:
        path = waiting.pop(0)
        if path in result.answers or path in result.refused:
            continue
        if not robots.can_fetch("test", base + path):
            result.refused.add(path)
            continue
        answer = result.answers[path] = get(base + path)
        targets = [answer.headers["Location"]] if "Location" in answer.headers else []
        if answer.headers.get("Content-Type", "").startswith("text/html") and answer.status == 200:
            anchors = Anchors()
            anchors.feed(answer.body.decode())
            targets += anchors.found
        for target in targets:
            url = urldefrag(urljoin(base + path, target)).url
            if url.startswith(base + "/"):
                answer.links.add(urlsplit(url).path)
                waiting.append(urlsplit(url).path)
            else:
                result.outside.add(url)
    return result


@pytest.fixture(scope="module")
def site():
    with SampleSite() as running:
        yield running


@pytest.fixture(scope="module")
def manifest(site):
    return site.manifest()


@pytest.fixture(scope="module")
def linked(site):
    """What following links from the home page alone finds."""
    return walk(site.url, ["/"])


@pytest.fixture(scope="module")
def sitemap_paths(site):
    root = ElementTree.fromstring(get(f"{site.url}/sitemap.xml").body)
    assert root.tag == f"{SITEMAP}urlset"
    urls = [place.text for place in root.iter(f"{SITEMAP}loc")]
    assert all(url.startswith(site.url + "/") for url in urls)
    return [urlsplit(url).path for url in urls]


@pytest.fixture(scope="module")
def whole(linked, site, sitemap_paths):
    """The same walk, continued with what the sitemap names."""
    return walk(site.url, sitemap_paths, so_far=linked)


@pytest.fixture(scope="module")
def pages(whole):
    return {path: answer for path, answer in whole.answers.items() if answer.status == 200 and is_html(answer)}


def is_html(answer):
    return answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_links_and_sitemap_reach_exactly_what_the_manifest_lists(linked, whole, manifest):
    assert set(whole.answers) | whole.refused == {page.path for page in manifest.pages}
    by_links_alone = set(linked.answers) | linked.refused
    assert by_links_alone == {page.path for page in manifest.pages if page.is_linked}
    assert SITEMAP_ONLY_PATH not in by_links_alone
    assert len({page.path for page in manifest.pages}) == len(manifest.pages)


def test_every_path_answers_as_promised(whole, manifest):
    for page in manifest.pages:
        if page.outcome is ExpectedOutcome.ROBOTS:
            assert page.path in whole.refused
            continue
        answer = whole.answers[page.path]
        status = {ExpectedOutcome.REDIRECT: 301, ExpectedOutcome.GONE: 404}.get(page.outcome, 200)
        assert answer.status == status, page.path
        if page.outcome is ExpectedOutcome.REDIRECT:
            assert answer.headers["Location"] == manifest.url(page.target)
        else:
            assert is_html(answer) == (page.outcome is not ExpectedOutcome.CONTENT_TYPE), page.path


def test_only_the_announced_pages_share_their_bytes(pages, manifest):
    by_hash = {}
    for path, answer in pages.items():
        by_hash.setdefault(hashlib.sha256(answer.body).hexdigest(), set()).add(path)
    same = [paths for paths in by_hash.values() if len(paths) > 1]
    announced = [{path, manifest.page(path).target} for path in sorted(manifest.paths(ExpectedOutcome.DUPLICATE))]
    assert same == announced


def test_each_kind_of_outcome_occurs(manifest):
    assert {page.outcome for page in manifest.pages} == set(ExpectedOutcome)
    assert len(manifest.paths(ExpectedOutcome.OK)) >= 25
    assert manifest.page("/contact").outcome is ExpectedOutcome.OK
    with pytest.raises(KeyError):
        manifest.page("/nowhere")


def test_some_links_leave_the_site(whole):
    assert {urlsplit(url).scheme for url in whole.outside} == {"https", "mailto", "tel"}


def test_every_page_has_title_heading_language_and_description(pages, manifest):
    titles = set()
    for path, answer in pages.items():
        tree = Tree(answer.body)
        assert tree.css_first("html").attributes["lang"] == manifest.page(path).language, path
        assert len(tree.css("h1")) == 1 and tree.css_first("h1").text(strip=True), path
        assert tree.css_first("title").text().endswith(" · Fernhill Instruments"), path
        assert len(tree.css_first('meta[name="description"]').attributes["content"]) > 30, path
        assert b"{{" not in answer.body and len(tree.css("main")) == 1, path
        titles.add(tree.css_first("title").text())
    assert len(titles) == len(pages) - len(manifest.paths(ExpectedOutcome.DUPLICATE))


class Balance(HTMLParser):
    """Fails on an end tag that does not match the innermost open element."""

    VOID = {"meta", "link", "img", "br", "hr", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.getpos())


def test_every_element_is_closed_and_every_fragment_has_its_target(pages):
    ids, fragments = {}, set()
    for path, answer in pages.items():
        check = Balance()
        check.feed(answer.body.decode())
        check.close()
        assert check.open == [], path
        assert len(check.ids) == len(set(check.ids)), path
        ids[path] = set(check.ids)
        found = re.findall(r'<a href="([^"]+#[^"]+)"', answer.body.decode())
        fragments |= {urlsplit(urljoin(path, target)) for target in found}
    assert fragments
    for target in fragments:
        assert target.fragment in ids[target.path], target


def test_assets_of_every_page_exist(site, pages):
    assets = set()
    for answer in pages.values():
        tree = Tree(answer.body)
        assets |= {node.attributes["src"] for node in tree.css("img")}
        assets |= {node.attributes["href"] for node in tree.css('link[rel="stylesheet"], link[rel="icon"]')}
    types = {path: get(site.url + path).headers["Content-Type"] for path in assets}
    assert types == {"/assets/mark.svg": "image/svg+xml", "/assets/style.css": "text/css; charset=utf-8"}


def test_robots_names_the_sitemap_and_closes_one_folder(site, manifest):
    robots = RobotFileParser()
    robots.parse(get(f"{site.url}/robots.txt").body.decode().splitlines())
    assert robots.site_maps() == [f"{site.url}/sitemap.xml"]
    closed = {page.path for page in manifest.pages if not robots.can_fetch("any", manifest.url(page.path))}
    assert closed == manifest.paths(ExpectedOutcome.ROBOTS)
    for path in closed:  # the page exists: a crawler that ignores robots.txt is caught by the request log
        assert get(site.url + path).status == 200


def test_slow_page_takes_a_second_and_the_others_do_not(whole):
    slow_seconds = whole.answers[SLOW_PATH].seconds
    assert slow_seconds >= 1.0
    assert sorted(answer.seconds for answer in whole.answers.values())[len(whole.answers) // 2] < slow_seconds


def test_large_page_is_large_real_and_reproducible(whole, site):
    body = whole.answers[LARGE_PATH].body
    assert 1_400_000 < len(body) < 1_700_000
    rows = Tree(body).css("#log tbody tr")
    assert len(rows) == 8_640
    verdicts = {"pass": 0, "fail": 0}
    certificates, previous = set(), ""
    for row in rows:
        made, certificate, _, _, reference, reading, deviation, limit, verdict = (cell.text() for cell in row.css("td"))
        assert made > previous
        assert abs(float(reading) - float(reference) - float(deviation)) < 1e-9
        assert (abs(float(deviation)) <= float(limit)) == (verdict == "pass")
        verdicts[verdict] += 1
        certificates.add(certificate)
        previous = made
    assert len(certificates) == 8_640 and 100 < verdicts["fail"] < 500
    with SampleSite() as other:
        again = get(other.url + LARGE_PATH).body
    assert again.replace(other.url.encode(), site.url.encode()) == body
