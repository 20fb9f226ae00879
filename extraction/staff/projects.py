"""Projects in the admin: made from a preset, switched off instead of deleted."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from extraction.models import Extraction
from extraction.schema.model import ExtractionSchema
from extraction.schema.presets import DEFAULT_PRESET, preset_names
from extraction.schema.projects import CHANGEABLE, project_change, project_from_preset
from extraction.schema.versions import schema_current
from jobs.errors import Invalid
from jobs.models import Project
from jobs.staff import cells
from jobs.staff.tables import QuarryAdmin


class NewProjectForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A name, and the preset whose schema the project begins with."""

    preset = forms.ChoiceField(
        choices=lambda: [(name, name.replace("_", " ")) for name in preset_names()],
        initial=DEFAULT_PRESET,
        help_text="The extraction schema to start with; it can be changed later.",
    )

    class Meta:
        model = Project
        fields = ("name", "description")


class IndentedJson(forms.JSONField):
    """JSON that people edit: shown with line breaks. What was typed wrongly comes back as it was typed."""

    def prepare_value(self, value: Any) -> Any:
        """Return the text for the form."""
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict | list) else value


class ProjectForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """What may be changed of a project; a changed schema becomes a new version."""

    extraction_schema = IndentedJson(
        widget=forms.Textarea(attrs={"rows": 24, "class": "vLargeTextField mono", "spellcheck": "false"}),
        help_text="Each change is saved as a new version; extractions keep the version they were made with.",
    )
    replace_schema = forms.BooleanField(
        required=False,
        label="Change the schema even though extractions exist",
        help_text="They become stale, and the next extraction replaces them.",
    )

    class Meta:
        model = Project
        fields = CHANGEABLE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current_schema = schema_current(self.instance.pk).schema
        if "extraction_schema" in self.fields:
            self.fields["extraction_schema"].initial = self.current_schema

    def clean(self) -> dict[str, Any]:
        """Return the changes, their schema checked. Errors are those of the service."""
        data = super().clean() or {}
        raw = data.get("extraction_schema")
        if raw is None:
            return data
        try:
            wanted = ExtractionSchema.parse(raw).to_json()
        except Invalid as error:
            self.add_error("extraction_schema", error.detail)
            return data
        is_changed = wanted != self.current_schema
        in_use = is_changed and Extraction.objects.filter(project_id=self.instance.pk).exists()
        if in_use and not data.get("replace_schema"):
            self.add_error(
                "replace_schema",
                "Extractions were made with the current schema; tick this box to go on.",
            )
        return data


@admin.register(Project)
class ProjectAdmin(QuarryAdmin):
    """Collections of sources with one extraction schema each."""

    list_display = ("name", "state", "created_at", "links")
    list_filter = ("is_active", "is_template")
    search_fields = ("name",)
    ordering = ("name",)
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("name", "description", "is_active")}),
        ("Extraction schema", {"fields": ("extraction_schema", "replace_schema")}),
        ("More", {"classes": ("collapse",), "fields": ("source_config", "entity_types", "prompt_templates")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Project | None = None) -> Any:
        """Return the few fields of a new project, or all of an existing one."""
        if obj is None:
            return ((None, {"fields": ("name", "description", "preset")}),)
        if not self.has_change_permission(request, obj):
            return ((None, {"fields": ("name", "description", "state", "created_at", "links")}),)
        return self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> tuple[str, ...]:
        """Return what is only shown."""
        return ("state", "created_at", "links")

    def get_form(self, request: HttpRequest, obj: Project | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form for making or for changing a project."""
        if obj is None or self.has_change_permission(request, obj):
            kwargs["form"] = NewProjectForm if obj is None else ProjectForm
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        """Hand the checked form to the service."""
        data = form.cleaned_data
        if change:
            force = bool(data.get("replace_schema"))
            project_change(obj.pk, data, force=force, actor_id=request.user.pk)
            return
        obj.pk = project_from_preset(
            template=data["preset"], name=data["name"], description=data["description"], actor_id=request.user.pk
        )

    @admin.display(description="State", ordering="is_active")
    def state(self, project: Project) -> SafeString:
        """Return whether the project is in use."""
        return cells.badge("active" if project.is_active else "inactive")

    @admin.display(description="Contents")
    def links(self, project: Project) -> SafeString:
        """Return links to the contents of the project."""
        pages = (("jobs_job", "Jobs"), ("crawling_source", "Sources"), ("extraction_extraction", "Extractions"))
        parts = [
            format_html(
                '<a href="{}?project__id__exact={}">{}</a>', reverse(f"admin:{page}_changelist"), project.pk, word
            )
            for page, word in pages
        ]
        return format_html("{} · {} · {}", *parts)
