"""Projects, jobs and the ledger: fields, constraints and pure properties.

Large writes do not go through these classes: `jobs.ledger` works by ids, in chunks and in SQL.
"""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from uuid_utils.compat import uuid7

from jobs.states import FINAL_ITEM, FINISHED_JOB, ItemState, JobStatus, Reason

KEY_MAX_CHARACTERS = 2048  # keys are ASCII; below the 2,704 bytes that a B-tree entry may hold
IDEMPOTENCY_KEY_MAX_CHARACTERS = 255


# Sorted: the order of a set changes from process to process, and with it the migration that Django would write.
FINISHED = sorted(status.value for status in FINISHED_JOB)
FINISHED_OR_DELETING = sorted([*FINISHED, JobStatus.DELETING.value])
FINAL = sorted(state.value for state in FINAL_ITEM)


def new_id() -> UUID:
    """Return a fresh UUIDv7. Its order says nothing about the order of commits."""
    return uuid7()


class Project(models.Model):
    """What jobs are run for: a name, a description, and settings of the applications above."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True, default="")
    source_config = models.JSONField(default=dict, blank=True)
    entity_types = models.JSONField(default=list, blank=True)
    prompt_templates = models.JSONField(default=dict, blank=True)
    is_template = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Job(models.Model):
    """One job of a registered kind; its work is divided into WorkItem rows."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="jobs")
    kind = models.CharField(max_length=20)
    status = models.CharField(
        max_length=12, default=JobStatus.QUEUED.value, choices=[(s.value, s.value) for s in JobStatus]
    )
    label = models.CharField(max_length=300, blank=True, default="")
    payload = models.JSONField(default=dict)
    result = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    page_limit = models.PositiveIntegerField(null=True, blank=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.CharField(max_length=150, blank=True, default="")
    cancel_reason = models.CharField(max_length=500, blank=True, default="")
    cleanup_requested_at = models.DateTimeField(null=True, blank=True)
    cleaned_at = models.DateTimeField(null=True, blank=True)
    removal = models.JSONField(default=dict, blank=True, help_text="Receipt of the cleanup, by kind.")
    removal_error = models.CharField(max_length=500, blank=True, default="", help_text="Why it is not finished.")
    delete_requested_at = models.DateTimeField(null=True, blank=True)
    delete_requested_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["status", "created_at"], name="job_status_created"),
            models.Index(fields=["project", "-created_at"], name="job_project_created"),
            models.Index(F("created_at").desc(), name="job_created"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[s.value for s in JobStatus]), name="job_status_known"),
            # A finished job has a time and a result, an unfinished one has no time; `deleting` may follow either.
            models.CheckConstraint(
                condition=Q(
                    status__in=FINISHED,
                    completed_at__isnull=False,
                    result__isnull=False,
                )
                | (~Q(status__in=FINISHED_OR_DELETING) & Q(completed_at__isnull=True))
                | Q(status=JobStatus.DELETING.value),
                name="job_end_matches_status",
            ),
            models.CheckConstraint(
                condition=~Q(status=JobStatus.CANCELLING.value) | Q(cancel_requested_at__isnull=False),
                name="job_cancelling_has_intent",
            ),
            models.CheckConstraint(
                condition=Q(cleaned_at__isnull=True) | Q(status__in=FINISHED_OR_DELETING),
                name="job_cleaned_is_finished",
            ),
            # A job chains at most one other job, however often its completion is written.
            models.UniqueConstraint(
                fields=["parent"], condition=Q(parent__isnull=False), name="job_one_child_per_parent"
            ),
        ]
        permissions = [
            ("submit_job", "Can start jobs"),
            ("cancel_job", "Can cancel, pause and resume jobs"),
            ("retry_job", "Can retry jobs"),
            ("cleanup_job", "Can clean up jobs"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.label or self.pk}"

    @property
    def is_finished(self) -> bool:
        """True once the job can no longer change by itself."""
        return JobStatus(self.status) in FINISHED_JOB


class Lane(models.Model):
    """A queue that one slice at a time serves, for instance all requests to one host."""

    key = models.CharField(max_length=300, unique=True)
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    woken_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=150, blank=True, db_default="")
    paused_reason = models.CharField(max_length=500, blank=True, db_default="")
    #: The job served last; the next claim goes to the one after it, so nobody starves.
    cursor_job = models.UUIDField(null=True, blank=True)

    def __str__(self) -> str:
        return self.key


class WorkItem(models.Model):
    """One unit of work of one job, in exactly one counted state."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="items", db_index=False)
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="items", db_index=False)
    key = models.CharField(max_length=KEY_MAX_CHARACTERS)
    state = models.CharField(
        max_length=8, default=ItemState.PENDING.value, choices=[(s.value, s.value) for s in ItemState]
    )
    reason = models.CharField(max_length=16, blank=True, default="")
    outcome = models.CharField(max_length=12, blank=True, default="")
    rank = models.IntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    lost_leases = models.PositiveSmallIntegerField(default=0)
    waited_seconds = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    data = models.JSONField(default=dict)
    result = models.JSONField(null=True, blank=True)

    class Meta:
        indexes = [
            # The claim's order; `ORDER BY id` would walk settled rows as the job proceeds. The job comes first
            # so that "is anything left of this job?", asked after every settle, is one probe as well.
            models.Index(
                fields=["job", "lane", "rank", "id"],
                condition=Q(state=ItemState.PENDING.value),
                name="item_claim",
            ),
            # Without `lease_until`, so that a heartbeat touches no index.
            models.Index(fields=["job"], condition=Q(state=ItemState.CLAIMED.value), name="item_leases"),
        ]
        constraints = [
            # Counts are read from this index, too: a separate one would be written with every claim and settle.
            models.UniqueConstraint(
                fields=["job", "key"], include=["state", "reason", "outcome"], name="item_once_per_job"
            ),
            models.CheckConstraint(condition=Q(state__in=[s.value for s in ItemState]), name="item_state_known"),
            models.CheckConstraint(
                condition=Q(
                    state__in=[ItemState.FAILED.value, ItemState.SKIPPED.value],
                    reason__in=[r.value for r in Reason],
                )
                | (~Q(state__in=[ItemState.FAILED.value, ItemState.SKIPPED.value]) & Q(reason="")),
                name="item_reason_explains",
            ),
            models.CheckConstraint(
                condition=Q(state__in=FINAL, finished_at__isnull=False)
                | (~Q(state__in=FINAL) & Q(finished_at__isnull=True)),
                name="item_finished_at_matches",
            ),
            models.CheckConstraint(
                condition=Q(state=ItemState.CLAIMED.value, lease__isnull=False, lease_until__isnull=False)
                | (~Q(state=ItemState.CLAIMED.value) & Q(lease__isnull=True, lease_until__isnull=True)),
                name="item_lease_iff_claimed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} [{self.state}]"


class JobEvent(models.Model):
    """What happened to a job: who, when, from which status to which. Outlives the job."""

    id = models.BigAutoField(primary_key=True)
    # No foreign key in the database: the record of a deletion must survive it.
    job = models.ForeignKey(Job, on_delete=models.DO_NOTHING, db_constraint=False, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=150, blank=True, default="")
    action = models.CharField(max_length=20)
    from_status = models.CharField(max_length=12, blank=True, default="")
    to_status = models.CharField(max_length=12, blank=True, default="")
    reason = models.CharField(max_length=500, blank=True, default="")
    counts = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["job", "id"], name="event_job")]

    def __str__(self) -> str:
        return f"{self.action} {self.from_status}→{self.to_status}"


class ApiKey(models.Model):
    """A key with which a program acts as the key's user. Only a hash is stored; the key is shown once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_active(self) -> bool:
        """True unless the key was revoked."""
        return self.revoked_at is None


class IdempotencyKey(models.Model):
    """The reply to a creating request, kept for a day in case the request is sent again."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=IDEMPOTENCY_KEY_MAX_CHARACTERS)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=300)
    digest = models.CharField(max_length=64)
    #: 0 and an empty body are never visible: the transaction that inserts the row fills them in.
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
