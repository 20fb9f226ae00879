"""Pausing a lane: nothing of a host, or of a share of the extractions, is worked on until staff resume it."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from jobs.errors import NotFound
from jobs.messages import wake
from jobs.models import Lane


@dataclass(frozen=True, slots=True)
class LaneReceipt:
    """Whether this call paused or resumed the lane; False: it stood so already."""

    lane_id: int
    changed: bool


def lane_pause(*, lane_id: int, actor: str = "", reason: str = "") -> LaneReceipt:
    """Let nobody serve the lane. Whoever does notices within half a second and gives back what is in flight.

    Raises: NotFound.
    """
    changed = Lane.objects.filter(pk=lane_id, paused_at__isnull=True).update(
        paused_at=Now(), paused_by=actor, paused_reason=reason[:500]
    )
    return _receipt(lane_id, bool(changed))


def lane_resume(*, lane_id: int, actor: str = "", reason: str = "") -> LaneReceipt:
    """Let the lane be served again, at once. The admin's log keeps who and why. Raises: NotFound."""
    with transaction.atomic():
        changed = Lane.objects.filter(pk=lane_id, paused_at__isnull=False).update(
            paused_at=None, paused_by="", paused_reason=""
        )
        if changed:
            wake.lanes_wake([lane_id], fresh=timedelta(0))
    return _receipt(lane_id, bool(changed))


def _receipt(lane_id: int, changed: bool) -> LaneReceipt:
    if not changed and not Lane.objects.filter(pk=lane_id).exists():
        raise NotFound(f"There is no lane {lane_id}; list the lanes to find the right one.")
    return LaneReceipt(lane_id, changed)
