"""Sources and hosts in the admin. Page content is hostile: it is shown as escaped text or handed out as a download."""

import gzip
import io
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Concat, Left, Length
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crawling.models import Host, Source, SourceContent
from jobs.models import Lane
from jobs.registry.kinds import HOST_LANE
from jobs.staff import cells
from jobs.staff.tables import BigTableAdmin, ProjectFilter, QuarryAdmin

TEXT_SHOWN_CHARACTERS = 20_000
MAX_ORIGINAL_BYTES = 64 * 1024 * 1024  # more than any page that the crawler keeps


@admin.register(Source)
class SourceAdmin(BigTableAdmin):
    """The pages a project knows."""

    list_display = ("page", "status_badge", "source_group", "language", "size", "fetched_at")
    list_display_links = None
    list_filter = ("status", ("project", ProjectFilter))
    list_select_related = ("project",)
    search_fields = ("=url", "=content_hash")
    search_help_text = "A complete URL or content hash"
    fieldsets = (
        (None, {"fields": ("address", "title", "status_badge", "project", "job", "files")}),
        ("Page", {"fields": ("author", "language", "published", "modified", "source_group", "source_type")}),
        ("Response", {"fields": ("http_status", "content_type", "size", "etag", "last_modified", "headers")}),
        ("History", {"fields": ("created_at", "fetched_at", "changed_at", "gone_at", "adopted_at")}),
        ("Extraction", {"fields": ("extracted_version", "made_of_it", "content_hash")}),
        ("Evidence text", {"fields": ("evidence_text",)}),
    )
    readonly_fields = ("address", "status_badge", "files", "size", "headers", "made_of_it", "evidence_text")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow the link of a job's page to the sources it holds."""
        return lookup == "holds__job" or super().lookup_allowed(lookup, value, request)

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs, with those of the two downloads."""
        wrap = self.admin_site.admin_view
        return [
            path("<str:key>/original/", wrap(self.original_view), name="crawling_source_original"),
            path("<str:key>/text/", wrap(self.text_view), name="crawling_source_text"),
            *super().get_urls(),
        ]

    def original_view(self, request: HttpRequest, key: str) -> HttpResponse:
        """Return the original bytes as a download that no browser renders."""
        body = self._content(request, key, "body")
        original = _inflated(bytes(body))
        return _download(original, f"{key}.bin", "application/octet-stream")

    def text_view(self, request: HttpRequest, key: str) -> HttpResponse:
        """Return the evidence text as a download of plain text."""
        return _download(self._content(request, key, "text").encode(), f"{key}.md", "text/plain; charset=utf-8")

    def _content(self, request: HttpRequest, key: str, column: str) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = SourceContent.objects.filter(pk=UUID(key)).values_list(column, flat=True).first()
        except ValueError as error:
            raise Http404("Not the id of a source: those are UUIDs.") from error
        if found is None:
            raise Http404("This source has no content: nothing was fetched yet, or it was removed.")
        return found

    @admin.display(description="Source")
    def page(self, source: Source) -> SafeString:
        """Return the title, linked, above the address."""
        link = cells.link_to(source, source.title or source.url)
        return format_html('<span class="name">{}</span><span class="key small quiet">{}</span>', link, source.url)

    @admin.display(description="Address")
    def address(self, source: Source) -> SafeString | str:
        """Return the URL, as a link if it is a web address."""
        if not source.url.startswith(("http://", "https://")):
            return source.url
        return format_html('<a href="{}" rel="noreferrer noopener" target="_blank">{}</a>', source.url, source.url)

    @admin.display(description="Status")
    def status_badge(self, source: Source) -> SafeString:
        """Return the status, and whether the page no longer exists on its site."""
        gone = format_html(' <span class="badge badge-plain">{}</span>', "gone") if source.gone_at else ""
        return format_html("{}{}", cells.badge(source.status), gone)

    @admin.display(description="Size")
    def size(self, source: Source) -> str:
        """Return the size of the original."""
        return f"{source.size_bytes / 1024:,.1f} kB"

    @admin.display(description="Files")
    def files(self, source: Source) -> SafeString:
        """Return links to the downloads."""
        return format_html(
            '<a class="button-link" href="{}">Download original</a> <a class="button-link" href="{}">Download text</a>',
            reverse("admin:crawling_source_original", args=[source.pk]),
            reverse("admin:crawling_source_text", args=[source.pk]),
        )

    @admin.display(description="Headers")
    def headers(self, source: Source) -> SafeString:
        """Return the response headers as they came."""
        found = SourceContent.objects.filter(pk=source.pk).values_list("headers", flat=True).first()
        return cells.pretty(found or {})

    @admin.display(description="Made from it")
    def made_of_it(self, source: Source) -> SafeString:
        """Return links to what was made from this page."""
        return format_html(
            '<a href="{}?source={}">Extractions</a> · <a href="{}?source={}">Passages</a>',
            reverse("admin:extraction_extraction_changelist"),
            source.pk,
            reverse("admin:extraction_passage_changelist"),
            source.pk,
        )

    @admin.display(description="Text")
    def evidence_text(self, source: Source) -> SafeString | str:
        """Return the beginning of the evidence text, escaped; only that much is read."""
        rows = SourceContent.objects.filter(pk=source.pk)
        found = rows.values_list(Left("text", TEXT_SHOWN_CHARACTERS), Length("text")).first()
        if found is None:
            return "—"
        rest = f"\n\n… {found[1] - TEXT_SHOWN_CHARACTERS:,} more characters: download the text"
        return format_html(
            '<pre class="evidence">{}{}</pre>', found[0], rest if found[1] > TEXT_SHOWN_CHARACTERS else ""
        )


@admin.register(Host)
class HostAdmin(QuarryAdmin):
    """How fast each host is asked, and its robots.txt. Staff may override the delay."""

    list_display = ("netloc", "delay", "slow_down_seconds", "robots_status", "robots_fetched_at", "last_error", "lane")
    search_fields = ("netloc",)
    ordering = ("netloc",)
    show_full_result_count = False
    fields = ("netloc", "lane", "delay_seconds", "slow_down_seconds", "last_error", "last_error_at", "robots")
    readonly_fields = ("netloc", "lane", "slow_down_seconds", "last_error", "last_error_at", "robots")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Host]:
        """Return the hosts without their robots.txt, each with its lane."""
        lanes = Lane.objects.filter(key=Concat(Value(HOST_LANE), OuterRef("netloc")))
        hosts: QuerySet[Host] = super().get_queryset(request).defer("robots_text")
        with_lanes: Any = {"lane_id": Subquery(lanes.values("pk")), "paused_at": Subquery(lanes.values("paused_at"))}
        return hosts.annotate(**with_lanes)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: hosts are added when they are first crawled."""
        return False

    @admin.display(description="Delay", ordering="delay_seconds")
    def delay(self, host: Host) -> str:
        """Return the delay set for this host."""
        return "default" if host.delay_seconds is None else f"{host.delay_seconds:g} s"

    @admin.display(description="Lane")
    def lane(self, host: Any) -> SafeString | str:
        """Return a link to the lane, where the host is paused and resumed."""
        if host.lane_id is None:
            return "—"
        text = "paused" if host.paused_at else "open"
        return format_html('<a href="{}">{}</a>', reverse("admin:jobs_lane_change", args=[host.lane_id]), text)

    @admin.display(description="robots.txt")
    def robots(self, host: Host) -> SafeString:
        """Return the host's robots.txt as text."""
        return format_html('<pre class="evidence">{}</pre>', host.robots_text[:TEXT_SHOWN_CHARACTERS] or "—")


def _inflated(body: bytes) -> bytes:
    """Return the original bytes, at most MAX_ORIGINAL_BYTES of them."""
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
        return stream.read(MAX_ORIGINAL_BYTES)


def _download(content: bytes, name: str, content_type: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response
