"""Sources as artifacts: which statements remove them, by ids only, and how many rows one chunk takes."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crawling.models import Source, SourceContent, SourceHold
from crawling.sources.owner import SourceOwner
from extraction.models import Extraction, Passage, SchemaVersion
from jobs.control import removal, removal_work
from jobs.models import Job, Project
from jobs.queries import tallies
from jobs.registry import owners
from jobs.states import JobStatus
from tests.helpers.factories import status_fields

pytestmark = pytest.mark.django_db

CHUNK = 200
SOURCES = 3 * CHUNK
#: All that a removal may read of these tables: keys, never what is bulky or everything.
KEY = r'"\w+"\."(id|source_id|job_id|url)"( AS "\w+")?'
ADOPTED = r'"crawling_source"."adopted_at" AS "adopted_at"'
READ = re.compile(rf'^SELECT (DISTINCT )?({KEY}|COUNT\(\*\) AS "__count"|1 AS "a")(, ({KEY}|{ADOPTED}))* FROM')
BULKY = ("body", "text", "headers", "data", "evidence", "context", "payload", "result")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let three chunks be few rows."""
    monkeypatch.setattr(removal_work, "ARTIFACTS_PER_STEP", CHUNK)


@pytest.fixture
def job(project: Project) -> Job:
    """A completed crawl that holds three chunks of sources with content, a passage and an extraction each."""
    return make_crawl(project)


def make_crawl(project: Project, number: int = SOURCES) -> Job:
    job = Job.objects.create(project=project, kind="crawl", payload={"urls": ["http://h.test/"] * 1000})
    Job.objects.filter(pk=job.pk).update(**status_fields(JobStatus.COMPLETED))
    version, _ = SchemaVersion.objects.get_or_create(project=project, number=1, defaults={"schema": {}})
    rows = Source.objects.bulk_create(
        [Source(project=project, job=job, url=f"http://h.test/{job.pk}/{n}") for n in range(number)]
    )
    SourceContent.objects.bulk_create([SourceContent(source=row, body=b"x" * 100, text="words") for row in rows])
    SourceHold.objects.bulk_create([SourceHold(source=row, job=job) for row in rows])
    owner: dict[str, Any] = {"project": project, "job": job}
    Passage.objects.bulk_create([Passage(source=row, ordinal=0, start=0, end=5, text="words", **owner) for row in rows])
    facts: dict[str, Any] = {"data": {"a": 1}, "evidence": {}, "confidence": 0.9, "extracted_at": timezone.now()}
    Extraction.objects.bulk_create(
        [Extraction(source=row, schema_version=version, field_group="g", **facts, **owner) for row in rows]
    )
    return job


def captured(work: Callable[[], Any]) -> list[str]:
    """Return the statements that `work` sends."""
    with CaptureQueriesContext(connection) as queries:
        work()
    return [re.sub(r"^DECLARE .*? FOR ", "", query["sql"]) for query in queries.captured_queries]


def check(statements: list[str]) -> None:
    """Demand that keys are all that is read, and that no statement removes row by row."""
    reads = [sql for sql in statements if sql.startswith("SELECT") and re.search(r'FROM "(crawling|extraction)_', sql)]
    assert reads
    assert [sql[:200] for sql in reads if not READ.match(sql)] == []
    assert [sql[:200] for sql in statements if re.search(rf'SELECT [^()]*?"({"|".join(BULKY)})"', sql)] == []


def remove_all(job: Job) -> None:
    for owner in owners.in_delete_order():
        while removal_work._remove_chunk(owner, job.pk):
            pass


def test_a_cleanup_reads_ids_only_and_never_row_by_row(job: Job) -> None:
    removal.job_cleanup(job_id=job.pk)
    statements = captured(lambda: remove_all(job))
    check(statements)
    chunks = SOURCES // CHUNK
    deletes = [sql for sql in statements if sql.startswith("DELETE")]
    by_table = {table: sum(f'"{table}"' in sql.split(" WHERE ")[0] for sql in deletes) for table in (
        "crawling_source", "crawling_sourcecontent", "crawling_sourcehold", "extraction_passage"
    )}  # fmt: skip
    assert set(by_table.values()) == {chunks}
    # Each table once per chunk: the extractions go with the sources they hang on.
    assert len(deletes) == 5 * chunks
    assert len(statements) < 40 * (chunks + 1)
    assert (Source.objects.count(), Passage.objects.count(), Extraction.objects.count()) == (0, 0, 0)
    deleted = {kind: one["deleted"] for kind, one in Job.objects.get(pk=job.pk).removal.items()}
    assert deleted == {"sources": SOURCES, "extractions": SOURCES, "passages": SOURCES, "vectors": 0}


def test_a_delete_without_cleanup_reads_ids_only(job: Job) -> None:
    removal.job_delete(job_id=job.pk)

    def adopt() -> None:
        for owner in owners.in_delete_order():
            while removal_work._adopt_chunk(owner, job.pk):
                pass
        removal_work._delete_row(job.pk)

    statements = captured(adopt)
    check(statements)
    assert len(statements) < 25 * (SOURCES // CHUNK + 1)
    assert Source.objects.filter(job=None, adopted_at__isnull=False).count() == SOURCES
    assert not Job.objects.filter(pk=job.pk).exists()


def test_asking_and_looking_reads_no_bulk(job: Job) -> None:
    """The receipts that a waiting request polls, and the admin's preview of what would go."""
    asked = removal.job_cleanup(job_id=job.pk)
    statements = captured(lambda: removal.receipt_read(asked))
    assert len(statements) == 1
    assert not re.search(r'"(payload|result)"', statements[0])
    own = owners.in_delete_order()[:2]  # the third asks the vector store
    check(captured(lambda: [owner.count([job.pk]) for owner in own]))
    assert not re.search(r'"(payload|result|data)"', " ".join(captured(lambda: tallies.jobs_preview([job.pk]))))


def test_a_chunk_takes_as_many_as_it_may(project: Project) -> None:
    job = make_crawl(project, 25)
    with transaction.atomic():
        taken = SourceOwner().remove_chunk(job.pk, size=10)
    assert (taken["sources"].found, taken["sources"].deleted) == (10, 10)
    assert (taken["passages"].deleted, taken["extractions"].deleted) == (10, 10)
    assert SourceOwner().count([job.pk]) == Source.objects.count() == 15
    assert SourceOwner().adopt_chunk(job.pk, size=10) == 10
    assert SourceOwner().adopt_chunk(job.pk, size=10) == 5
    assert (SourceOwner().adopt_chunk(job.pk, size=10), SourceOwner().remove_chunk(job.pk, size=10)) == (0, {})


def test_what_stays_goes_to_the_holder_or_to_the_project(project: Project) -> None:
    first, second = make_crawl(project, 3), make_crawl(project, 1)
    shared, adopted, own = Source.objects.filter(job=first).order_by("url")
    SourceHold.objects.create(source=shared, job=second)
    Source.objects.filter(pk=adopted.pk).update(adopted_at=timezone.now())
    removed = SourceOwner().remove_chunk(first.pk, size=10)
    sources = removed["sources"]
    assert (sources.found, sources.deleted, sources.kept_shared, removed["passages"].deleted) == (3, 1, 2, 1)
    heirs = {shared.pk: second.pk, adopted.pk: None}
    assert dict(Source.objects.filter(pk__in=heirs).values_list("pk", "job_id")) == heirs
    assert dict(Passage.objects.filter(source__in=heirs).values_list("source_id", "job_id")) == heirs
    assert not Source.objects.filter(pk=own.pk).exists()
