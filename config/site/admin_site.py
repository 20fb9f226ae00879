"""The admin site: navigation by what people do (Operate, Knowledge, Access), and the dashboard as its first page."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse

from config.site import dashboard
from jobs.models import Job
from jobs.states import JobStatus


@dataclass(frozen=True, slots=True)
class Entry:
    """One page of the navigation: a model, the words shown, and the name of its icon."""

    model: str  #: "jobs.Job"
    words: str
    icon: str


NAVIGATION: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "Operate",
        (
            Entry("jobs.Job", "Jobs", "jobs"),
            Entry("jobs.WorkItem", "Work items", "items"),
            Entry("crawling.Host", "Hosts", "hosts"),
            Entry("jobs.Lane", "Lanes", "lanes"),
            Entry("jobs.JobEvent", "History", "history"),
        ),
    ),
    (
        "Knowledge",
        (
            Entry("jobs.Project", "Projects", "projects"),
            Entry("crawling.Source", "Sources", "sources"),
            Entry("extraction.Extraction", "Extractions", "extractions"),
            Entry("extraction.Passage", "Passages", "passages"),
            Entry("extraction.SchemaVersion", "Schemas", "schemas"),
            Entry("extraction.VectorChange", "Vector outbox", "vectors"),
        ),
    ),
    (
        "Access",
        (
            Entry("auth.User", "Users", "users"),
            Entry("auth.Group", "Groups", "groups"),
            Entry("jobs.ApiKey", "API keys", "keys"),
        ),
    ),
)


class QuarryAdminSite(AdminSite):
    """Django's admin with our navigation. Nothing is deleted through Django's own confirmation."""

    site_header = site_title = "Quarry"
    index_title = "Dashboard"
    site_url = None
    enable_nav_sidebar = False  # ours is drawn by the base template, without script
    empty_value_display = "—"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.disable_action("delete_selected")

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return what every page needs: Django's context and our navigation."""
        context = super().each_context(request)
        if context["has_permission"]:
            context["navigation"] = self.navigation(request, context["available_apps"])
        return context

    def navigation(self, request: HttpRequest, apps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the groups with the pages this person may see; models without an entry come last."""
        pages = {model["model"]._meta.label: model for app in apps for model in app["models"] if model["admin_url"]}
        groups = []
        for words, entries in NAVIGATION:
            shown = [self._page(request, entry, pages.pop(entry.model)) for entry in entries if entry.model in pages]
            if shown:
                groups.append({"words": words, "pages": shown})
        if pages:
            others = [Entry(label, str(page["name"]), "other") for label, page in pages.items()]
            groups.append({"words": "Other", "pages": [self._page(request, e, pages[e.model]) for e in others]})
        return groups

    def _page(self, request: HttpRequest, entry: Entry, page: dict[str, Any]) -> dict[str, Any]:
        url = page["admin_url"]
        badge = _active_jobs() if entry.model == "jobs.Job" else 0
        return {
            "words": entry.words,
            "icon": entry.icon,
            "url": url,
            "badge": badge,
            "is_current": request.path.startswith(url),
        }

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Return the dashboard."""
        context = {
            **self.each_context(request),
            "title": self.index_title,
            "dashboard": dashboard.read() if request.user.has_perm("jobs.view_job") else None,
            **(extra_context or {}),
        }
        request.current_app = self.name
        return TemplateResponse(request, "quarry/dashboard.html", context)


def _active_jobs() -> int:
    return Job.objects.filter(status__in=[JobStatus.RUNNING.value, JobStatus.CANCELLING.value]).count()


site = admin.site
