"""What the audit bench compares: rows written by SQL, points written into the store directly, and the faults planted.

Nothing was crawled or embedded: the outbox's changes, which the triggers do write, are deleted by SQL, and the vectors
are random. An audit reads ids only, so its cost depends on the numbers of rows and points, not on what they say.
"""

from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models.functions import Now

from extraction.models import SchemaVersion
from extraction.vectors import process_store
from extraction.vectors.stores.base import Point
from jobs.control.projects import DEFAULT_PROJECT, project_named
from jobs.models import Job
from jobs.states import JobStatus

GONE_POINTS = 41  #: rows whose point is taken away
STRANGERS = 37  #: points that no row knows
KINDS = {"passage": "0190", "extraction": "0191"}  #: what the ids of a kind begin with
ROWS_PER_STATEMENT = 20_000
POINTS_CHUNK = 2_000
WORDS_PER_POINT = 3
VOCABULARY = 50_000

# Ids ascend as UUIDv7 do. A source has a hundred rows of each kind.
_SOURCES = """
    INSERT INTO crawling_source (id, project_id, job_id, url, source_group, source_type, status, title, author,
        language, published, modified, http_status, content_type, etag, last_modified, content_hash, body_hash,
        size_bytes, created_at, fetched_at)
    SELECT ('018f' || lpad(to_hex(n), 12, '0') || '7000800000000000')::uuid, %(project)s, %(job)s,
           'https://bench.example/' || n, 'bench', 'web', 'extracted',
           'Page ' || n, '', 'en', '', '', 200, 'text/html', '', '', md5(n::text), md5(n::text), 100, now(), now()
    FROM generate_series(%(first)s / 100, %(last)s / 100) AS n ON CONFLICT DO NOTHING
"""
_PASSAGES = """
    INSERT INTO extraction_passage (id, project_id, source_id, job_id, ordinal, start, "end", text, heading_path,
        context)
    SELECT ('0190' || lpad(to_hex(n), 12, '0') || '7000800000000000')::uuid, %(project)s,
           ('018f' || lpad(to_hex(n / 100), 12, '0') || '7000800000000000')::uuid,
           %(job)s, n %% 100, 0, 20, 'Passage number ' || n, '[]', ''
    FROM generate_series(%(first)s, %(last)s) AS n
"""
_EXTRACTIONS = """
    INSERT INTO extraction_extraction (id, project_id, source_id, job_id, schema_version_id, field_group, entity_index,
        data, evidence, confidence, ungrounded, notes, extracted_at, created_at)
    SELECT ('0191' || lpad(to_hex(n), 12, '0') || '7000800000000000')::uuid, %(project)s,
           ('018f' || lpad(to_hex(n / 100), 12, '0') || '7000800000000000')::uuid,
           %(job)s, %(version)s, 'bench', n %% 100, jsonb_build_object('number', n), '{}', 1.0, '[]', '[]', now(), now()
    FROM generate_series(%(first)s, %(last)s) AS n
"""


def rows_fill(first: int, last: int) -> None:
    """Insert the passages and the extractions of these numbers, and forget the changes that this queued."""
    given = _owners()
    with connection.cursor() as cursor:
        for start in range(first, last + 1, ROWS_PER_STATEMENT):
            chunk = given | {"first": start, "last": min(start + ROWS_PER_STATEMENT - 1, last)}
            for statement in (_SOURCES, _PASSAGES, _EXTRACTIONS, "DELETE FROM extraction_vectorchange"):
                cursor.execute(statement, chunk)
            cursor.execute("VACUUM extraction_vectorchange")
        cursor.execute("VACUUM ANALYZE")


def points_fill(first: int, last: int) -> None:
    """Write a point for each row of these numbers into the store in use."""
    store, dice = process_store.store(), np.random.default_rng(first)
    for kind in KINDS:
        for start in range(first, last + 1, POINTS_CHUNK):
            ids = [row_id(kind, number) for number in range(start, min(start + POINTS_CHUNK, last + 1))]
            store.upsert(_points(kind, ids, dice))


def faults_plant(last: int) -> None:
    """Take GONE_POINTS points away and add STRANGERS, of both kinds, spread over the numbers up to `last`."""
    gone = [row_id(kind, number) for kind, number in _spread(GONE_POINTS, last)]
    process_store.store().delete(gone)
    # The row of this number has the same id but for the last digit.
    strangers = [UUID(int=row_id(kind, number).int + 1) for kind, number in _spread(STRANGERS, last)]
    process_store.store().upsert(_points("passage", strangers, np.random.default_rng(0)))


def row_id(kind: str, number: int) -> UUID:
    """Return the id of the row of this kind and number, as the SQL above makes it."""
    return UUID(f"{KINDS[kind]}{number:012x}7000800000000000")


def _spread(faults: int, last: int) -> list[tuple[str, int]]:
    kinds = list(KINDS)
    return [(kinds[at % 2], 1 + at * (last - 1) // (faults - 1)) for at in range(faults)]


def _owners() -> dict[str, Any]:
    project_id = project_named(DEFAULT_PROJECT)
    version, _ = SchemaVersion.objects.get_or_create(project_id=project_id, number=1_000, defaults={"schema": {}})
    finished = {"status": JobStatus.COMPLETED.value, "completed_at": Now(), "result": {}}
    job, _ = Job.objects.get_or_create(project_id=project_id, kind="crawl", label="bench", defaults=finished)
    return {"project": project_id, "job": job.pk, "version": version.pk}


def _points(kind: str, ids: list[UUID], dice: np.random.Generator) -> list[Point]:
    owners = {"project_id": str(UUID(int=1)), "job_id": str(UUID(int=2))}
    payload = {"kind": kind, "source_group": "bench", "language": "en", "field_group": "bench", **owners}
    dense = dice.standard_normal((len(ids), process_store.embedder().dimension), dtype=np.float32)
    words = dice.integers(VOCABULARY, size=(len(ids), WORDS_PER_POINT))
    points = []
    for at, id in enumerate(ids):
        indices = sorted({int(word) for word in words[at]})
        points.append(Point(id, dense[at], indices, [1.0] * len(indices), payload))
    return points
