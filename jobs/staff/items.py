"""The ledger in the admin: work items and the history. Everything here is written by services only."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.models import JobEvent, WorkItem
from jobs.staff import cells
from jobs.staff.tables import BigTableAdmin
from jobs.states import Reason


class ReasonFilter(SimpleListFilter):
    """Items by reason; the reasons are a closed list, so no table is searched for them."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return all reasons."""
        return [(reason.value, reason.value.replace("_", " ")) for reason in Reason]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WorkItem]) -> QuerySet[WorkItem]:
        """Return the items with the chosen reason."""
        return queryset.filter(reason=self.value()) if self.value() else queryset


@admin.register(WorkItem)
class WorkItemAdmin(BigTableAdmin):
    """One row per item of a job."""

    list_display = ("item_key", "state_badge", "why", "attempts", "job_link", "finished_at")
    list_display_links = None
    list_filter = ("state", ReasonFilter)
    list_select_related = ("job",)
    deferred = ("data", "result", "job__payload", "job__result", "job__error", "job__removal")
    search_fields = ("=key",)
    search_help_text = "The whole key of an item; fastest when a job is chosen"
    fieldsets = (
        (None, {"fields": ("item_key", "job", "state_badge", "why", "detail", "finished_at")}),
        ("Work", {"fields": ("lane", "rank", "attempts", "lost_leases", "waited_seconds", "not_before")}),
        ("Lease", {"fields": ("lease", "lease_until")}),
        ("Data", {"fields": ("data_pretty", "result_pretty")}),
    )
    readonly_fields = ("item_key", "state_badge", "why", "detail", "data_pretty", "result_pretty")

    def keyset_key(self, filters: dict[str, Any]) -> str:
        """Return the key within one job, which the ledger's unique index orders; else the newest first."""
        return "key" if any(name in filters for name in ("job", "job__id__exact", "job__id")) else "-pk"

    @admin.display(description="Item")
    def item_key(self, item: WorkItem) -> SafeString | str:
        """Return the item's key, linked to the item's page."""
        return format_html('<span class="key">{}</span>', cells.link_to(item, item.key))

    @admin.display(description="State")
    def state_badge(self, item: WorkItem) -> SafeString:
        """Return the state."""
        return cells.badge(item.state)

    @admin.display(description="Reason")
    def why(self, item: WorkItem) -> str:
        """Return the reason of a failure or skip, or the outcome of what was done."""
        return (item.reason or item.outcome or "—").replace("_", " ")

    @admin.display(description="Job")
    def job_link(self, item: WorkItem) -> SafeString | str:
        """Return the job."""
        return cells.link_to(item.job, item.job.label or str(item.job_id))

    @admin.display(description="Detail")
    def detail(self, item: WorkItem) -> str:
        """Return the sentence that explains how the item ended."""
        return str((item.result or {}).get("detail", "—"))

    @admin.display(description="Data")
    def data_pretty(self, item: WorkItem) -> SafeString:
        """Return the item's input."""
        return cells.pretty(item.data)

    @admin.display(description="Result")
    def result_pretty(self, item: WorkItem) -> SafeString:
        """Return the item's result."""
        return cells.pretty(item.result)


@admin.register(JobEvent)
class JobEventAdmin(BigTableAdmin):
    """What happened to jobs, including deleted ones."""

    list_display = ("at", "action", "move", "actor", "reason", "job_key")
    search_fields = ("=actor", "=action")
    search_help_text = "A username, or an action such as cancel"
    deferred = ("counts",)
    fields = ("at", "action", "move", "actor", "reason", "job_key", "counts_pretty")
    readonly_fields = ("move", "job_key", "counts_pretty")

    def keyset_key(self, filters: dict[str, Any]) -> str:
        """Return the newest first."""
        return "-pk"

    @admin.display(description="Status")
    def move(self, event: JobEvent) -> SafeString | str:
        """Return the move from status to status."""
        if not event.to_status:
            return "—"
        if not event.from_status or event.from_status == event.to_status:
            return cells.badge(event.to_status)
        return format_html("{} → {}", cells.badge(event.from_status), cells.badge(event.to_status))

    @admin.display(description="Job")
    def job_key(self, event: JobEvent) -> SafeString:
        """Return the job's id; the job itself may be gone."""
        return format_html('<span class="mono small">{}</span>', event.job_id)

    @admin.display(description="Counts")
    def counts_pretty(self, event: JobEvent) -> SafeString:
        """Return the counts recorded with the event."""
        return cells.pretty(event.counts)
