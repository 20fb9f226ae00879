"""The job that the cleanup bench removes: rows written by SQL, points written to the store directly.

Its pages were never fetched and its points are not embedded: what is measured is their removal, and that
depends on the numbers of rows and points, not on what they say.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models.functions import Now
from numpy.typing import NDArray

from extraction.models import Extraction, SchemaVersion
from extraction.vectors import process_store
from extraction.vectors.stores.base import Point
from jobs.control.projects import DEFAULT_PROJECT, project_named
from jobs.models import Job
from jobs.states import JobStatus

EXTRACTIONS_PER_SOURCE = 2
ROWS_PER_STATEMENT = 10_000
POINTS_CHUNK = 2_000
WORDS_PER_POINT = 12
VOCABULARY = 50_000

# Ids ascend as UUIDv7 do, which decides how an index grows and shrinks. %(run)s keeps two jobs apart.
_SOURCES = """
    INSERT INTO crawling_source (id, project_id, job_id, url, source_group, source_type, status, title, author,
        language, published, modified, http_status, content_type, etag, last_modified, content_hash, body_hash,
        size_bytes, created_at, fetched_at)
    SELECT ('0190' || lpad(to_hex(%(run)s), 2, '0') || lpad(to_hex(n), 10, '0') || '7000800000000000')::uuid,
           %(project)s, %(job)s, 'https://bench.example/' || %(run)s || '/' || n, 'bench', 'web', 'extracted',
           'Page ' || n, '', 'en', '', '', 200, 'text/html', '', '', md5(n::text), md5(n::text), 100, now(), now()
    FROM generate_series(%(first)s, %(last)s) AS n
"""
_CONTENTS = """
    INSERT INTO crawling_sourcecontent (source_id, body, charset, headers, text)
    SELECT id, 'body'::bytea, 'utf-8', '{}', 'What ' || title || ' says.' FROM crawling_source
    WHERE job_id = %(job)s AND NOT EXISTS (SELECT 1 FROM crawling_sourcecontent c WHERE c.source_id = id)
"""
_HOLDS = """
    INSERT INTO crawling_sourcehold (source_id, job_id)
    SELECT id, job_id FROM crawling_source WHERE job_id = %(job)s ON CONFLICT DO NOTHING
"""
_EXTRACTIONS = """
    INSERT INTO extraction_extraction (id, project_id, source_id, job_id, schema_version_id, field_group, entity_index,
        data, evidence, confidence, ungrounded, notes, extracted_at, created_at)
    SELECT ('0191' || lpad(to_hex(%(run)s), 2, '0') || lpad(to_hex(n * %(each)s + entity), 10, '0')
            || '7000800000000000')::uuid, %(project)s,
           ('0190' || lpad(to_hex(%(run)s), 2, '0') || lpad(to_hex(n), 10, '0') || '7000800000000000')::uuid,
           %(job)s, %(version)s, 'bench', entity, jsonb_build_object('number', n), '{}', 1.0, '[]', '[]', now(), now()
    FROM generate_series(%(first)s, %(last)s) AS n, generate_series(0, %(each)s - 1) AS entity
"""


def job_fill(run: int, *, sources: int) -> UUID:
    """Insert a completed job with so many sources and twice as many extractions; return its id.

    run: a number of its own for each job. The outbox is emptied: points are filled in by `points_fill`.
    """
    project_id = project_named(DEFAULT_PROJECT)
    version, _ = SchemaVersion.objects.get_or_create(project_id=project_id, number=1_000, defaults={"schema": {}})
    job = Job.objects.create(
        project_id=project_id, kind="crawl", status=JobStatus.COMPLETED.value, completed_at=Now(), result={}
    )
    given: dict[str, Any] = {"run": run, "project": project_id, "job": job.pk, "version": version.pk}
    given["each"] = EXTRACTIONS_PER_SOURCE
    with connection.cursor() as cursor:
        for first in range(1, sources + 1, ROWS_PER_STATEMENT):
            chunk = given | {"first": first, "last": min(first + ROWS_PER_STATEMENT - 1, sources)}
            cursor.execute(_SOURCES, chunk)
            cursor.execute(_EXTRACTIONS, chunk)
        cursor.execute(_CONTENTS, given)
        cursor.execute(_HOLDS, given)
        cursor.execute("DELETE FROM extraction_vectorchange")
        cursor.execute("VACUUM ANALYZE")
    return job.pk


def points_fill(job_id: UUID) -> int:
    """Write a point for each extraction of the job into the store in use; return how many it then counts."""
    store = process_store.store()
    dice = np.random.default_rng(1)
    dimension = process_store.embedder().dimension
    for rows in _chunks(job_id):
        dense = dice.standard_normal((len(rows), dimension), dtype=np.float32)
        words = dice.integers(VOCABULARY, size=(len(rows), WORDS_PER_POINT))
        store.upsert([_point(job_id, *row, dense[at], words[at]) for at, row in enumerate(rows)])
    return store.count(job_ids=[job_id])


def _chunks(job_id: UUID) -> Iterator[list[tuple[UUID, UUID, UUID]]]:
    """Yield the job's extractions as (id, source, project), in the order of their ids."""
    rows = Extraction.objects.filter(job_id=job_id).order_by("pk").values_list("pk", "source_id", "project_id")
    chunk = list(rows[:POINTS_CHUNK])
    while chunk:
        yield chunk
        chunk = list(rows.filter(pk__gt=chunk[-1][0])[:POINTS_CHUNK])


def _point(
    job_id: UUID, id: UUID, source_id: UUID, project_id: UUID, dense: NDArray[Any], words: NDArray[Any]
) -> Point:
    payload = {
        "kind": "extraction",
        "project_id": str(project_id),
        "job_id": str(job_id),
        "source_id": str(source_id),
        "source_group": "bench",
        "language": "en",
        "field_group": "bench",
    }
    indices = sorted({int(word) for word in words})
    return Point(id, dense, indices, [1.0] * len(indices), payload)
