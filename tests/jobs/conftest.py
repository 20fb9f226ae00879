"""What the tests of `jobs` share: the factories, a recording broker, a second side of a race."""

from collections.abc import Callable, Iterator
from typing import Any

import dramatiq
import pytest
from django_dramatiq.middleware import DbConnectionsMiddleware
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Callbacks, Middleware, Retries, ShutdownNotifications, TimeLimit

from jobs import actors
from tests.helpers.factories import make_job, probe, project
from tests.helpers.threads import Side

__all__ = ["broker", "in_thread", "make_job", "probe", "project", "sent"]


class Sent(Middleware):
    """Remembers every message, (actor, arguments, delay in milliseconds or None), and how each ended."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, tuple[Any, ...], int | None]] = []
        self.ended: list[BaseException | None] = []
        self.time_limit_ms: int | None = None

    def before_enqueue(self, broker: Any, message: Any, delay: int | None) -> None:
        """Give the message the time limit of the test, if it has one."""
        if self.time_limit_ms is not None:
            message.options["time_limit"] = self.time_limit_ms

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Remember the exception, None for a message that went well."""
        self.ended.append(exception)

    def after_enqueue(self, broker: Any, message: Any, delay: int | None) -> None:
        """Remember the message, unless it is a delayed one that came round."""
        if "eta" not in message.options or delay is not None:
            self.messages.append((message.actor_name, tuple(message.args), delay))


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """All messages sent in this test; its actors speak to a broker of their own."""
    record = Sent()
    broker = StubBroker(
        middleware=[
            TimeLimit(interval=50),
            ShutdownNotifications(),
            Callbacks(),
            Retries(max_retries=0),
            DbConnectionsMiddleware(),
            record,
        ]
    )
    for actor in dramatiq.get_broker().actors.values():
        monkeypatch.setattr(actor, "broker", broker)
        broker.declare_actor(actor)
    monkeypatch.setattr(dramatiq.broker, "global_broker", broker)
    return record


@pytest.fixture
def broker(sent: Sent) -> Iterator[StubBroker]:
    """The broker of this test's actors, with time limits at work."""
    broker = actors.run_slice.broker
    broker.emit_after("process_boot")  # without it time limits silently do nothing
    yield broker
    for middleware in broker.middleware:
        if isinstance(middleware, TimeLimit):  # its thread has no end: at least it sleeps from now on
            middleware.manager.interval = 86_400


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
