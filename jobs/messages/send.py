"""Sending a message to an actor that is known by name only."""

import dramatiq


def actor_send(name: str, *arguments: str | int, delay_seconds: float = 0.0) -> None:
    """Send the actor called `name` a message with these arguments, to be taken up after `delay_seconds`.

    Raises: dramatiq.ActorNotFound when no application has declared such an actor.
    """
    actor = dramatiq.get_broker().get_actor(name)
    actor.send_with_options(args=arguments, delay=int(delay_seconds * 1000) or None)  # milliseconds
