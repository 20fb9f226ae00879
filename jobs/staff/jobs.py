"""Jobs in the admin: the list, the page of one job, and their actions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.db.models.fields.json import KT
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.models import Job, JobEvent, WorkItem
from jobs.queries import tallies
from jobs.registry import kinds
from jobs.staff import cells
from jobs.staff.confirmed_actions import ChoiceGroup, ConfirmedAction, ConfirmedActionsAdmin, PreviewTable
from jobs.staff.job_actions import JOB_ACTIONS
from jobs.staff.tables import EstimatedPaginator, ProjectFilter, ReadOnlyAdmin
from jobs.states import ItemState

EVENTS_SHOWN = 100
FAILURES_SHOWN = 8
BULKY = ("payload", "result", "error", "removal")


class KindFilter(SimpleListFilter):
    """Jobs of one kind; the kinds come from the registry, so no table is searched for them."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the registered kinds."""
        return [(name, name) for name in kinds.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Return the jobs of the chosen kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


class JobChangeList(ChangeList):
    """Adds the item counts of the jobs shown, from one statement; requests for an action read none."""

    def get_results(self, request: HttpRequest) -> None:
        """Select the page, with its counts if it is going to be shown."""
        super().get_results(request)
        if request.method == "GET":
            shown = list(self.result_list)
            counted = tallies.items_shown(shown)
            for job in shown:
                job.item_counts = counted.get(job.pk, {})
            self.result_list = shown


@admin.register(Job)
class JobAdmin(ConfirmedActionsAdmin, ReadOnlyAdmin):
    """All jobs. Nothing is edited: a status moves through the actions only."""

    confirmed_actions = JOB_ACTIONS
    list_display = ("name", "status_badge", "progress_bar", "project", "created", "duration")
    list_display_links = None
    list_filter = ("status", KindFilter, ("project", ProjectFilter))
    list_per_page = 25
    list_select_related = ("project",)
    search_fields = ("label",)
    search_help_text = "Part of a label, or a whole job id"
    ordering = ("-created_at", "-id")
    paginator = EstimatedPaginator
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that knows the counts."""
        return JobChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """Return the jobs without their bulky columns."""
        return super().get_queryset(request).defer(*BULKY)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Return the job with this id, or those whose label contains the words."""
        try:
            return queryset.filter(pk=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    @admin.display(description="Job", ordering="label")
    def name(self, job: Job) -> SafeString:
        """Return the label, linked, above the end of the id, the part that differs most between jobs."""
        link = cells.link_to(job, job.label or f"{job.kind} job")
        short = str(job.pk).rpartition("-")[2]
        return format_html(
            '<span class="name">{}</span><span class="small quiet">{} · {}</span>', link, job.kind, short
        )

    @admin.display(description="Status", ordering="status")
    def status_badge(self, job: Job) -> SafeString:
        """Return the status, and whether the job was cleaned up."""
        cleaned = format_html(' <span class="badge badge-plain">{}</span>', "cleaned") if job.cleaned_at else ""
        return format_html("{}{}", cells.badge(job.status), cleaned)

    @admin.display(description="Progress")
    def progress_bar(self, job: Job) -> SafeString:
        """Return the items by state as a bar."""
        return cells.progress(getattr(job, "item_counts", {}))

    @admin.display(description="Created", ordering="created_at")
    def created(self, job: Job) -> str:
        """Return when the job was submitted, in the site's time zone."""
        return f"{timezone.localtime(job.created_at):%Y-%m-%d %H:%M}"

    @admin.display(description="Duration")
    def duration(self, job: Job) -> str:
        """Return how long the job took, or how long it has been running."""
        return cells.duration(job.started_at, job.completed_at)

    def preview(self, action: ConfirmedAction, ids: Sequence[UUID]) -> PreviewTable:
        """Return items by state, and for actions that delete, also everything the jobs made."""
        wants_artifacts = action.name in {"cleanup", "delete", "delete_keep"}
        found = tallies.jobs_preview(ids, with_artifacts=wants_artifacts)
        states = [state.value for state in ItemState]
        kinds_made = list(found.artifacts)
        lines = [
            (job.label, job.status, [*_numbers(job.items, states), *_numbers(job.artifacts, kinds_made, "·")])
            for job in found.jobs
        ]
        totals = [*_numbers(found.items, states), *_numbers(found.artifacts, kinds_made)]
        notes = [found.unavailable] if found.unavailable else []
        if len(found.jobs) > tallies.ARTIFACTS_PER_JOB and kinds_made:
            notes.append("What the jobs made is shown as a total for all of them.")
        return PreviewTable([*states, *kinds_made], lines, totals, notes)

    def choices(self, action: ConfirmedAction, ids: Sequence[UUID]) -> list[ChoiceGroup]:
        """Return the reasons and hosts for which there are items to retry."""
        if action.name != "retry":
            return []
        reasons, hosts = tallies.items_retryable(ids)
        return [
            ChoiceGroup("reasons", "Only items that failed or were skipped for these reasons", reasons),
            ChoiceGroup("hosts", "Only items of these hosts", hosts),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the page of one job; it only reads."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            job = Job.objects.select_related("project", "parent", "created_by").filter(pk=object_id).first()
        except ValidationError:
            job = None
        if job is None:
            self.message_user(request, f"There is no job {object_id}. It may have been deleted.", messages.WARNING)
            return HttpResponseRedirect(self._list_url())
        context = {**self.admin_site.each_context(request), **self._page(request, job), **(extra_context or {})}
        return TemplateResponse(request, "quarry/job.html", context)

    def _page(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        reasons = tallies.items_by_reason(job.pk)
        counts = {state.value: sum(row.number for row in reasons if row.state == state) for state in ItemState}
        total = sum(counts.values())
        settled = total - counts[ItemState.PENDING.value] - counts[ItemState.CLAIMED.value]
        return {
            "title": job.label or f"{job.kind} job",
            "opts": self.opts,
            "job": job,
            "is_live": not job.is_finished,
            "tiles": [(word, state, counts[state]) for state, word in cells.SEGMENTS],
            "bar": cells.bar(counts),
            "total": total,
            "settled": settled,
            "percent": cells.percent(settled, total),
            "reasons": [row for row in reasons if row.why],
            "failures": _failures(job.pk) if counts[ItemState.FAILED.value] else [],
            "events": list(JobEvent.objects.filter(job_id=job.pk).order_by("-pk")[:EVENTS_SHOWN]),
            "duration": cells.duration(job.started_at, job.completed_at),
            "paused_lanes": [] if job.is_finished else tallies.lanes_paused(job.pk),
            "removal": job.removal or {},
            "payload": cells.pretty(job.payload),
            "result": cells.pretty(job.result) if job.result is not None else "",
            "child": job.children.only("pk", "label", "kind").first(),
            "actions": [action for action in self.permitted_actions(request) if action.fits(job)],
            "act_url": self._act_url(),
        }

    def _names(self, ids: Sequence[Any]) -> list[tuple[str, str]]:
        rows = Job.objects.filter(pk__any=ids).values_list("pk", "label")
        return [(str(pk), label or str(pk)) for pk, label in rows]


def _failures(job_id: UUID) -> list[WorkItem]:
    """Return some failed items, ordered by key: the ledger's unique index finds them."""
    rows = WorkItem.objects.filter(job_id=job_id, state=ItemState.FAILED.value).annotate(detail=KT("result__detail"))
    return list(rows.only("pk", "key", "reason", "attempts", "finished_at").order_by("key")[:FAILURES_SHOWN])


def _numbers(counts: dict[str, int], names: Sequence[str], missing: int | str = 0) -> list[int | str]:
    return [counts.get(name, missing) for name in names]
