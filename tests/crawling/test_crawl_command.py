"""`manage.py crawl`: its options become the crawl's, and what makes no sense is refused with a sentence."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from jobs.models import Job

pytestmark = pytest.mark.django_db


def crawl(*options: str) -> tuple[Any, str]:
    """Start a crawl without following it; return the exit code and what was said on stderr."""
    out, err = StringIO(), StringIO()
    try:
        call_command("crawl", "http://h.test/docs/", "--detach", *options, stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, err.getvalue().strip()
    return 0, err.getvalue().strip()


@pytest.mark.parametrize(
    ("options", "scope"),
    [
        ([], {"mode": "host", "allow_backward_links": True}),
        (["--scope", "host"], {"mode": "host"}),
        (["--scope", "subdomains"], {"mode": "subdomains"}),
        (["--scope", "domain"], {"mode": "domain"}),
        (["--scope", "prefix"], {"mode": "prefix", "path_prefix": ""}),
        (["--scope", "prefix", "--path-prefix", "/docs/v2/"], {"mode": "prefix", "path_prefix": "/docs/v2/"}),
        (["--subdomains"], {"mode": "subdomains", "allow_backward_links": True}),
        (["--prefix"], {"mode": "host", "allow_backward_links": False}),
        (["--prefix", "--subdomains"], {"mode": "subdomains", "allow_backward_links": False}),
        (["--prefix", "--scope", "domain"], {"mode": "domain", "allow_backward_links": False}),
    ],
)
def test_the_scope_can_be_chosen(options: list[str], scope: dict[str, Any]) -> None:
    assert crawl(*options) == (0, "")
    assert Job.objects.get().payload["scope"].items() >= scope.items()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--scope", "galaxy"], "The scope must be one of host, subdomains, domain, prefix, not “galaxy”."),
        (["--scope", "host", "--subdomains"], "Scope “host” stays on the host of the start URL"),
        (["--path-prefix", "/docs/"], "path_prefix only applies to scope “prefix”"),
    ],
)
def test_a_scope_that_makes_no_sense_is_refused(options: list[str], sentence: str) -> None:
    code, said = crawl(*options)
    assert (code, said[: len(sentence)]) == (2, sentence)
    assert not Job.objects.exists()
