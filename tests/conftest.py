"""What all tests share. Their settings are in `tests/settings.py`, which pytest-django reads before this."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.test import TransactionTestCase
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import TimeLimit

from extraction.vectors.embedding import WordLlamaEmbedder
from jobs import actors
from jobs.models import Job, Project
from jobs.registry import kinds
from tests.helpers.api_client import Api, client_of, user_with
from tests.helpers.factories import Probe, job_made
from tests.helpers.knowledge import Knowledge, TrippingStore, drain_all, knowledge_made, store_bound
from tests.helpers.sent_messages import Sent, broker_recorded
from tests.helpers.threads import Side

# What a test wrote is deleted with triggers and foreign keys asleep: a tenth of the time of Django's flush, which
# also makes every permission anew. Content types and permissions are never written by a test.
EMPTY = """
    DO $$
    DECLARE found regclass;
    BEGIN
        SET LOCAL session_replication_role = replica;
        FOR found IN
            SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
        LOOP
            IF pg_relation_size(found) > 4000000 THEN EXECUTE format('TRUNCATE %s CASCADE', found);
            ELSE EXECUTE format('DELETE FROM %s', found); END IF;
        END LOOP;
    END $$
"""


def pytest_report_header() -> list[str]:
    """Say which PostgreSQL the tests use."""
    if not settings.configured:
        return ["database: none (Django is not set up)"]
    where = f"embedded PostgreSQL in {settings.QUARRY.home}" if settings.QUARRY.is_embedded else "DATABASE_URL"
    return [f"database: {where}"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep one order in all processes of a parallel run: parameters that come from a set have none."""
    items.sort(key=lambda item: (item.location[0], item.location[1] or 0, item.name))


@pytest.fixture(autouse=True, scope="session")
def quick_flush() -> Iterator[None]:
    """Empty the tables after each transactional test by `EMPTY`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty)
        yield


def _empty(case: Any) -> None:
    for alias in case._databases_names(include_mirrors=False):
        with connections[alias].cursor() as cursor:
            cursor.execute(EMPTY)


# Jobs


@pytest.fixture
def project(db: None) -> Project:
    """A project."""
    return Project.objects.create(name="Instruments")


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    """A registered job kind called `probe`."""
    kind = Probe()
    monkeypatch.setitem(kinds._kinds, kind.name, kind)
    return kind


@pytest.fixture
def make_job(project: Project, probe: Probe) -> Callable[..., Job]:
    """Return a function that makes a job of the probe kind, by default running with pending items."""
    return partial(job_made, project)


@pytest.fixture
def in_thread() -> Iterator[Callable[..., Side]]:
    """Return a function that starts work on a thread with a database connection of its own."""
    sides: list[Side] = []

    def start(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Side:
        sides.append(Side(work, *args, **kwargs))
        return sides[-1]

    yield start
    for side in sides:
        side.join()


# Messages


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """All messages sent in this test; its actors speak to a broker of their own."""
    return broker_recorded(monkeypatch)


@pytest.fixture
def broker(sent: Sent) -> Iterator[StubBroker]:
    """The broker of this test's actors, with time limits at work."""
    broker = actors.run_slice.broker
    broker.emit_after("process_boot")  # without it time limits silently do nothing
    yield broker
    for middleware in broker.middleware:
        if isinstance(middleware, TimeLimit):  # its thread has no end: at least it sleeps from now on
            middleware.manager.interval = 86_400


# The REST API


@pytest.fixture
def api(db: None) -> Api:
    """The client of a superuser called `chief`."""
    return client_of(User.objects.create_superuser("chief"))


@pytest.fixture
def api_of(db: None) -> Callable[..., Api]:
    """Return a function that makes the client of a user with exactly the permissions given."""
    return lambda *permissions, name="worker": client_of(user_with(*permissions, name=name))


# Knowledge and its vectors


@pytest.fixture(scope="session")
def embedder() -> WordLlamaEmbedder:
    """The bundled embedder."""
    return WordLlamaEmbedder()


@pytest.fixture
def store(tmp_path: Path, embedder: WordLlamaEmbedder) -> Iterator[TrippingStore]:
    """An empty embedded store, bound as that of the process."""
    with store_bound(tmp_path / "vectors", embedder) as store:
        yield store


@pytest.fixture
def knowledge(db: None) -> Knowledge:
    """A project whose outbox is empty."""
    return knowledge_made()


@pytest.fixture
def drained(knowledge: Knowledge, store: TrippingStore) -> Callable[[], None]:
    """Return a function that drains everything and demands that nothing is left."""
    return partial(drain_all, store)
