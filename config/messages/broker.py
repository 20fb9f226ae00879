"""The broker of the embedded profile: messages stay in the process that works, or reach it through PostgreSQL.

A message is only a hint that there is work, so nothing is lost with the process; healing sends it again.
"""

import json
from collections import defaultdict, deque
from typing import Any

from django.db import connection
from dramatiq import Message
from dramatiq.brokers.stub import StubBroker

from jobs.messages.channel import CHANNEL

KEPT_DEAD_LETTERS = 100


class InProcessBroker(StubBroker):
    """Queues in memory while this process hosts the workers; otherwise NOTIFY for the process that does."""

    def __init__(self, middleware: list[Any] | None = None) -> None:
        super().__init__(middleware)
        self.is_hosting = False
        # The base class keeps every failed message for ever.
        self.dead_letters_by_queue = defaultdict(lambda: deque(maxlen=KEPT_DEAD_LETTERS))  # type: ignore[arg-type, return-value]

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Queue the message here, or notify the process that hosts the workers. delay: milliseconds."""
        if self.is_hosting:
            return super().enqueue(message, delay=delay)
        payload = json.dumps({"message": message.encode().decode(), "delay": delay})
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
        return message

    def receive(self, payload: str) -> None:
        """Queue a message that another process announced."""
        sent = json.loads(payload)
        super().enqueue(Message.decode(sent["message"].encode()), delay=sent["delay"])
