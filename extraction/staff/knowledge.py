"""What is known, in the admin: extractions, passages, schema versions, and the outbox of the vectors."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from extraction.models import Extraction, Passage, SchemaVersion, VectorChange
from jobs.staff import cells
from jobs.staff.tables import BigTableAdmin, ProjectFilter, ReadOnlyAdmin

PREVIEW_CHARACTERS = 160


@admin.register(Extraction)
class ExtractionAdmin(BigTableAdmin):
    """Entities found in sources, with the evidence of every value."""

    list_display = ("group", "source_link", "confidence_bar", "schema_number", "extracted_at")
    list_display_links = None
    list_filter = (("project", ProjectFilter),)
    list_select_related = ("source", "schema_version")
    deferred = ("data", "evidence", "ungrounded", "notes", "schema_version__schema")
    search_fields = ("=field_group", "=source__url")
    search_help_text = "A field group, or the whole URL of a source"
    fieldsets = (
        (None, {"fields": ("field_group", "entity_index", "source_link", "project", "job", "schema_version")}),
        ("Values", {"fields": ("values", "confidence_bar")}),
        ("Evidence", {"fields": ("evidence_pretty", "ungrounded", "notes_pretty")}),
        ("History", {"fields": ("extracted_at", "created_at")}),
    )
    readonly_fields = ("source_link", "values", "confidence_bar", "evidence_pretty", "notes_pretty")

    @admin.display(description="Field group")
    def group(self, extraction: Extraction) -> SafeString | str:
        """Return the field group, linked; of a list also which of its entities."""
        number = f" #{extraction.entity_index + 1}" if extraction.entity_index else ""
        return cells.link_to(extraction, f"{extraction.field_group}{number}")

    @admin.display(description="Source")
    def source_link(self, extraction: Extraction) -> SafeString | str:
        """Return the page it was found in."""
        source = extraction.source
        return format_html('<span class="key">{}</span>', cells.link_to(source, source.title or source.url))

    @admin.display(description="Confidence")
    def confidence_bar(self, extraction: Extraction) -> SafeString:
        """Return the lowest confidence of its values."""
        return format_html(
            '<meter class="confidence" min="0" max="1" low="0.5" high="0.8" optimum="1" value="{}"></meter> {}',
            f"{extraction.confidence:.3f}",
            f"{extraction.confidence:.2f}",
        )

    @admin.display(description="Schema")
    def schema_number(self, extraction: Extraction) -> str:
        """Return the number of the schema version."""
        return f"v{extraction.schema_version.number}"

    @admin.display(description="Values")
    def values(self, extraction: Extraction) -> SafeString:
        """Return the fields with their values, ungrounded ones marked."""
        missing = set(extraction.ungrounded)
        rows = (
            (name, "" if value is None else str(value), "ungrounded" if name in missing else "")
            for name, value in extraction.data.items()
        )
        return format_html(
            '<table class="facts">{}</table>',
            format_html_join("", '<tr><th scope="row">{}</th><td>{} <em class="warn">{}</em></td></tr>', rows),
        )

    @admin.display(description="Evidence")
    def evidence_pretty(self, extraction: Extraction) -> SafeString:
        """Return the quote and place that prove each value."""
        return cells.pretty(extraction.evidence)

    @admin.display(description="Notes")
    def notes_pretty(self, extraction: Extraction) -> SafeString:
        """Return conflicts and dropped values."""
        return cells.pretty(extraction.notes)


@admin.register(Passage)
class PassageAdmin(BigTableAdmin):
    """The searchable pieces of the evidence texts."""

    list_display = ("beginning", "headings", "source_link", "ordinal", "length")
    list_display_links = None
    list_filter = (("project", ProjectFilter),)
    list_select_related = ("source",)
    deferred = ("text", "context")
    search_fields = ("=source__url",)
    search_help_text = "The whole URL of a source"
    fields = ("source_link", "project", "job", "ordinal", "headings", "start", "end", "context", "full_text")
    readonly_fields = ("source_link", "headings", "full_text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Passage]:
        """Return the passages, each with the beginning of its text."""
        rows: QuerySet[Passage] = super().get_queryset(request)
        return rows.annotate(preview=Left("text", PREVIEW_CHARACTERS))

    @admin.display(description="Passage")
    def beginning(self, passage: Any) -> SafeString | str:
        """Return how the passage begins, linked."""
        return cells.link_to(passage, " ".join(passage.preview.split()) or str(passage.pk))

    @admin.display(description="Headings")
    def headings(self, passage: Passage) -> str:
        """Return the headings above the passage."""
        return " › ".join(str(heading) for heading in passage.heading_path) or "—"

    @admin.display(description="Source")
    def source_link(self, passage: Passage) -> SafeString | str:
        """Return the page it is a piece of."""
        return cells.link_to(passage.source, passage.source.title or passage.source.url)

    @admin.display(description="Characters")
    def length(self, passage: Passage) -> str:
        """Return how long the passage is."""
        return f"{passage.end - passage.start:,}"

    @admin.display(description="Text")
    def full_text(self, passage: Passage) -> SafeString:
        """Return the whole passage as text."""
        return format_html('<pre class="evidence">{}</pre>', passage.text)


@admin.register(SchemaVersion)
class SchemaVersionAdmin(ReadOnlyAdmin):
    """Immutable: a changed schema is a new version."""

    list_display = ("project", "number", "created_at", "created_by")
    list_display_links = ("project", "number")
    list_filter = (("project", ProjectFilter),)
    list_select_related = ("project", "created_by")
    ordering = ("project__name", "-number")
    show_full_result_count = False
    fields = ("project", "number", "created_at", "created_by", "schema_pretty")
    readonly_fields = ("schema_pretty",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SchemaVersion]:
        """Return the versions without the schemas themselves."""
        return super().get_queryset(request).defer("schema")

    @admin.display(description="Schema")
    def schema_pretty(self, version: SchemaVersion) -> SafeString:
        """Return the schema as text."""
        return cells.pretty(version.schema)


@admin.register(VectorChange)
class VectorChangeAdmin(BigTableAdmin):
    """The outbox: rows whose point in the vector store is out of date."""

    list_display = ("point", "kind", "operation", "attempts", "queued_at", "not_before", "last_error")
    list_display_links = ("point",)
    list_filter = (("operation", admin.ChoicesFieldListFilter),)
    search_fields = ("=point_id", "=job_id")
    search_help_text = "The whole id of a point or job"
    fields = (
        "point_id", "kind", "operation", "version", "job_id", "queued_at", "attempts", "not_before",
        "lease_until", "late_write_until", "last_error",
    )  # fmt: skip

    @admin.display(description="Point")
    def point(self, change: VectorChange) -> SafeString:
        """Return the id of the point, which is that of its row."""
        return format_html('<span class="mono small">{}</span>', change.point_id)
