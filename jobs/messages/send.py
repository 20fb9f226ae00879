"""Sending messages by the name of the actor, so that nothing needs to import the actors."""

import dramatiq
from dramatiq import Message

from jobs.messages.names import ACTOR_QUEUES


def actor_send(name: str, *arguments: str | int, delay_seconds: float = 0.0) -> None:
    """Send a message to the actor of this name through the current broker; the actor's queue is in `ACTOR_QUEUES`."""
    message: Message[None] = Message(
        queue_name=ACTOR_QUEUES[name], actor_name=name, args=arguments, kwargs={}, options={}
    )
    dramatiq.get_broker().enqueue(message, delay=int(delay_seconds * 1000) or None)
