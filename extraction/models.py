"""What is known: schemas, extracted entities, searchable passages, and the outbox that feeds the vectors.

Triggers on Extraction, Passage and Source (see the migrations) write every VectorChange; code only asks for a
second look at a point (`outbox.points_requeue`).
"""

from django.conf import settings
from django.db import models
from django.db.models import Q

from crawling.models import Source
from extraction.states import VectorOperation
from jobs.models import Job, Project, new_id


class SchemaVersion(models.Model):
    """An immutable version of a project's extraction schema."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="schema_versions")
    number = models.PositiveIntegerField()
    schema = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="schema_version_once")]
        ordering = ["project", "-number"]

    def __str__(self) -> str:
        return f"version {self.number}"


class Passage(models.Model):
    """A heading-aware piece of a source's evidence text. Its id is its point's id."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="passages")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    ordinal = models.PositiveIntegerField()
    start = models.PositiveIntegerField(help_text="Code points from the start of the evidence text.")
    end = models.PositiveIntegerField(help_text="Half-open.")
    text = models.TextField()
    heading_path = models.JSONField(default=list)
    #: What is embedded and indexed together with the text: title, headings, a table's header row.
    context = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "ordinal"], name="passage_once"),
            models.CheckConstraint(condition=Q(end__gt=models.F("start")), name="passage_span"),
        ]

    def __str__(self) -> str:
        return f"passage {self.ordinal} of {self.source_id}"


class Extraction(models.Model):
    """One entity found in a source: field values with the evidence of each. Its id is its point's id."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="extractions")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    schema_version = models.ForeignKey(SchemaVersion, on_delete=models.PROTECT, related_name="+")
    field_group = models.CharField(max_length=100)
    entity_index = models.PositiveIntegerField(default=0)
    data = models.JSONField()
    evidence = models.JSONField()
    confidence = models.FloatField()
    ungrounded = models.JSONField(default=list, help_text="Names of fields whose value has no evidence.")
    notes = models.JSONField(default=list, help_text="Conflicts and dropped values.")
    extracted_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "field_group", "entity_index"], name="extraction_once"),
            models.CheckConstraint(condition=Q(confidence__gte=0.0, confidence__lte=1.0), name="extraction_confidence"),
        ]
        indexes = [
            models.Index(fields=["project", "field_group", "id"], name="extraction_group"),
        ]

    def __str__(self) -> str:
        return f"{self.field_group} of {self.source_id}"


class VectorChange(models.Model):
    """A row whose point in the vector store is out of date. Written by triggers, removed by the drain."""

    point_id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=10)
    operation = models.CharField(max_length=6)
    #: From a sequence: tells a change from a later one of the same point.
    version = models.BigIntegerField()
    job_id = models.UUIDField(null=True, blank=True, db_index=True)
    queued_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    #: Until then a write under an earlier lease may still reach the store, so what is applied before that
    #: is applied once more afterwards. No trigger clears it: a newer change of the point inherits it.
    late_write_until = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["operation", "version"], name="change_order")]
        constraints = [
            models.CheckConstraint(condition=Q(operation__in=[*map(str, VectorOperation)]), name="change_operation"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.point_id}"


class AuditRequest(models.Model):
    """Asks for a comparison of rows and points, after something no row trigger sees (TRUNCATE)."""

    requested_at = models.DateTimeField()
    reason = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.reason


class AuditState(models.Model):
    """The one row about audits: when the next is due, how far one has come, what the last complete one found.

    Only `extraction.audit.state` reads and writes it.
    """

    THE_ONE = 1

    id = models.SmallIntegerField(primary_key=True, default=THE_ONE, editable=False)
    #: From when on an audit is due whatever the last one's age; null: its age decides.
    due_at = models.DateTimeField(null=True, blank=True)
    woken_at = models.DateTimeField(null=True, blank=True)
    #: Since when a process hosts workers. Still there when the next one begins: that process died.
    hosted_since = models.DateTimeField(null=True, blank=True)
    #: The background audit under way, if there is one, and how far it has come.
    begun_at = models.DateTimeField(null=True, blank=True)
    progress = models.JSONField(default=dict)
    #: Why the latest attempt did not compare everything; empty: it did.
    interruption = models.CharField(max_length=300, blank=True, default="")
    #: The last complete audit. What it repaired is not counted as differing any more.
    finished_at = models.DateTimeField(null=True, blank=True)
    rows = models.BigIntegerField(default=0)
    points = models.BigIntegerField(default=0)
    rows_without_points = models.BigIntegerField(default=0)
    points_without_rows = models.BigIntegerField(default=0)
    fixed = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="audit_state_once")]

    def __str__(self) -> str:
        return f"audit of {self.finished_at}"
