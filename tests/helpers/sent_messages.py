"""The messages a test sends, kept by a broker of its own."""

from typing import Any

import dramatiq
import pytest
from django_dramatiq.middleware import DbConnectionsMiddleware
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Callbacks, Middleware, Retries, ShutdownNotifications, TimeLimit


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


def broker_recorded(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Let all actors speak to a broker of this test, and return what they send."""
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
