"""The audit in the background: when one is due, who is told, and after which end of a host.

What a slice of it does is in `slices.py`, which needs the store and its clients; every process loads this one.
"""

import logging

from django.conf import settings

from extraction.audit import state
from jobs.messages.send import actor_send
from jobs.registry.chores import Chore

log = logging.getLogger(__name__)

AUDIT_SLICE = "audit_slice"  #: the actor's name

WAKE_AGAIN_SECONDS = 120.0


class AuditChore(Chore):
    """See `jobs.registry.chores.Chore`."""

    name = "audit"

    def wake_if_due(self) -> int:
        """Send a slice if an audit is due, or under way and its last message lost."""
        hours = settings.QUARRY.audit_hours
        if not hours or not state.wake_is_due(hours=hours, again_seconds=WAKE_AGAIN_SECONDS):
            return 0
        actor_send(AUDIT_SLICE)
        return 1

    def is_idle(self) -> bool:
        """Nobody waits for an audit."""
        return True

    def host_opened(self) -> None:
        """Let an audit be due at once when the last host of the workers died: what it wrote last may be lost."""
        if state.host_opened():
            log.warning("audit_due_after_unclean_end")

    def host_closed(self) -> None:
        """Note that this one did not die."""
        state.host_closed()
