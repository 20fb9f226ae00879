"""Sources: the pages a project knows, who holds them, and the hosts they come from."""

from django.db import models
from django.db.models import Q

from crawling.states import SourceStatus, SourceType
from jobs.models import KEY_MAX_CHARACTERS, Job, Project, new_id


class Host(models.Model):
    """What is remembered of a host: its robots.txt and how fast it may be asked."""

    netloc = models.CharField(max_length=255, unique=True)
    robots_status = models.PositiveSmallIntegerField(null=True, blank=True)
    robots_text = models.TextField(blank=True, default="")
    robots_fetched_at = models.DateTimeField(null=True, blank=True)
    delay_seconds = models.FloatField(null=True, blank=True, help_text="Overrides the default delay.")
    #: Added to the delay after 429, 503 and time-outs; shrinks again with every success.
    slow_down_seconds = models.FloatField(default=0.0)
    last_error = models.CharField(max_length=300, blank=True, default="")
    last_error_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["netloc"]

    def __str__(self) -> str:
        return self.netloc


class Source(models.Model):
    """One page of a project. It is held by the crawl and scrape jobs that fetched it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="sources")
    #: The job that last wrote the content; null once that job is gone.
    job = models.ForeignKey(Job, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    url = models.CharField(max_length=KEY_MAX_CHARACTERS)
    source_group = models.CharField(max_length=200, blank=True, default="")
    source_type = models.CharField(max_length=20, default=SourceType.WEB.value)
    status = models.CharField(
        max_length=10,
        default=SourceStatus.READY.value,
        choices=[(status.value, status.value) for status in SourceStatus],
    )
    title = models.CharField(max_length=500, blank=True, default="")
    author = models.CharField(max_length=300, blank=True, default="")
    language = models.CharField(max_length=12, blank=True, default="")
    published = models.CharField(max_length=40, blank=True, default="", help_text="ISO 8601, as the page says.")
    modified = models.CharField(max_length=40, blank=True, default="", help_text="ISO 8601, as the page says.")
    http_status = models.PositiveSmallIntegerField(default=200)
    content_type = models.CharField(max_length=100, blank=True, default="")
    etag = models.CharField(max_length=300, blank=True, default="")
    last_modified = models.CharField(max_length=100, blank=True, default="")
    content_hash = models.CharField(max_length=64, blank=True, default="")
    body_hash = models.CharField(max_length=64, blank=True, default="")
    size_bytes = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    fetched_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)
    #: Set when the job that made it was deleted without a cleanup: the project keeps it.
    adopted_at = models.DateTimeField(null=True, blank=True)
    #: Number of the schema version last extracted with; null: never, or the content changed since.
    extracted_version = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "url"], name="source_once_per_project"),
            models.CheckConstraint(
                condition=Q(status__in=tuple(status.value for status in SourceStatus)), name="source_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["project", "source_group", "id"], name="source_group"),
            models.Index(fields=["project", "body_hash"], name="source_body"),
        ]

    def __str__(self) -> str:
        return self.url


class SourceContent(models.Model):
    """The large part of a source, in a table of its own so that lists and deletions never load it."""

    source = models.OneToOneField(Source, on_delete=models.PROTECT, primary_key=True, related_name="content")
    body = models.BinaryField(help_text="The original bytes, gzip-compressed, never altered.")
    charset = models.CharField(max_length=40, blank=True, default="")
    headers = models.JSONField(default=dict)
    text = models.TextField(blank=True, default="", help_text="The evidence text: Markdown.")

    def __str__(self) -> str:
        return str(self.source_id)


class SourceHold(models.Model):
    """A job's hold on a source: while one exists, no cleanup of another job removes the source."""

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="holds")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="source_holds")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "job"], name="hold_once")]

    def __str__(self) -> str:
        return f"{self.job_id} holds {self.source_id}"
