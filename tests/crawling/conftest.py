"""What the tests of `crawling` share: a project, leave to crawl this machine without pauses, no back-off."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from jobs.ledger import settle
from jobs.models import Project
from tests.helpers.sent_messages import Sent


@pytest.fixture(autouse=True)
def messages_are_kept(sent: Sent) -> None:
    """All messages sent in a test go to a broker of its own."""


@pytest.fixture
def project(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that may crawl this machine."""
    settings.QUARRY = replace(
        settings.QUARRY, crawl_allow_networks=(ip_network("127.0.0.0/8"),), crawl_delay_seconds=0.0, crawl_concurrency=4
    )
    monkeypatch.setattr(settle, "BACKOFF_SECONDS", 0.02)
    monkeypatch.setattr(settle, "MIN_WAIT_SECONDS", 0.02)
    return Project.objects.create(name="Rivers")
