"""Lanes in the admin: which ones are being served, and pausing them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest
from django.utils.safestring import SafeString

from jobs.control.pause import LaneReceipt, lane_pause, lane_resume
from jobs.models import Lane
from jobs.queries import tallies
from jobs.staff import cells
from jobs.staff.confirmed_actions import ConfirmedAction, ConfirmedActionsAdmin, PreviewTable
from jobs.staff.tables import ReadOnlyAdmin


def _moved(receipts: Sequence[LaneReceipt]) -> str:
    changed = sum(receipt.changed for receipt in receipts)
    already = len(receipts) - changed
    return f"{changed:,} changed." + (f" {already:,} needed no change." if already else "")


_lane_action = partial(ConfirmedAction, id_argument="lane_id", permissions=("jobs.change_lane",), summary=_moved)

LANE_ACTIONS: tuple[ConfirmedAction, ...] = (
    _lane_action(
        name="pause",
        label="Pause",
        service=lane_pause,
        effect="Work in these lanes stops, for all jobs: a lane of a host gets no more requests. Items in flight are"
        " aborted and done again after the resume; jobs continue in their other lanes.",
        fits=lambda lane: lane.paused_at is None,
    ),
    _lane_action(
        name="resume",
        label="Resume",
        service=lane_resume,
        effect="Items waiting in these lanes are worked on again, at once.",
        fits=lambda lane: lane.paused_at is not None,
    ),
)


@admin.register(Lane)
class LaneAdmin(ConfirmedActionsAdmin, ReadOnlyAdmin):
    """The queues, each served by one worker at a time."""

    confirmed_actions = LANE_ACTIONS
    list_display = ("key", "state", "woken_at", "paused_at", "paused_by", "paused_reason")
    search_fields = ("key",)
    search_help_text = "Part of a lane's key, such as the name of a host"
    ordering = ("key",)
    show_full_result_count = False
    fields = ("key", "state", "lease_until", "woken_at", "paused_at", "paused_by", "paused_reason", "cursor_job")
    readonly_fields = ("state",)

    @admin.display(description="State")
    def state(self, lane: Lane) -> SafeString:
        """Return whether the lane is running, paused or idle, as a badge."""
        return cells.badge(_state(lane))

    def preview(self, action: ConfirmedAction, ids: Sequence[int]) -> PreviewTable:
        """Return how many items unfinished jobs have in each lane."""
        counted = tallies.items_by_lane(ids)
        lines: list[tuple[str, str, list[int | str]]] = [
            (lane.key, _state(lane), [*counted.get(lane.pk, (0, 0, 0))])
            for lane in Lane.objects.filter(pk__any=ids).order_by("key")
        ]
        items = [sum(numbers[at] for numbers in counted.values()) for at in (1, 2)]
        return PreviewTable(["jobs", "pending", "in flight"], lines, ["", *items])

    def acted(self, request: HttpRequest, action: ConfirmedAction, ids: Sequence[int], reason: str) -> None:
        """Record it in the admin's log: a resume leaves no trace on the lane itself."""
        if ids:
            rows = Lane.objects.filter(pk__any=ids)
            LogEntry.objects.log_actions(request.user.pk or 0, rows, CHANGE, f"{action.label}: {reason}")

    def _names(self, ids: Sequence[Any]) -> list[tuple[str, str]]:
        return [(str(pk), key) for pk, key in Lane.objects.filter(pk__any=ids).values_list("pk", "key")]


def _state(lane: Lane) -> str:
    if lane.paused_at:
        return "paused"
    return "running" if lane.lease else "idle"
