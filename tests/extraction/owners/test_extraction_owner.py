"""Extractions as artifacts: exactly those of the job, and what is left to say about their sources."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crawling.models import Source
from extraction.models import Extraction, VectorChange
from extraction.owners.extraction_owner import ExtractionOwner
from jobs.models import Job
from tests.helpers.knowledge import Knowledge

pytestmark = pytest.mark.django_db
OWNER = ExtractionOwner()


@pytest.fixture
def job(knowledge: Knowledge) -> Job:
    """A second job of the project, which extracts."""
    return Job.objects.create(project=knowledge.project, kind="extract", status="running", started_at=timezone.now())


def marked(source: Source) -> tuple[str, int | None]:
    return Source.objects.values_list("status", "extracted_version").get(pk=source.pk)


def test_a_chunk_removes_the_extractions_of_the_job_alone(knowledge: Knowledge, job: Job) -> None:
    other = knowledge.make_source("https://b.test/")
    Source.objects.update(status="extracted", extracted_version=1)
    mine = [knowledge.extraction({"a": n}, job=job) for n in range(3)]
    theirs = knowledge.extraction({"a": 9}, source=other)
    VectorChange.objects.all().delete()
    removed = OWNER.remove_chunk(job.pk, size=1000)
    assert {kind: (one.found, one.deleted, one.kept_shared) for kind, one in removed.items()} == {
        "extractions": (3, 3, 0)
    }
    assert list(Extraction.objects.values_list("pk", flat=True)) == [theirs.pk]
    assert set(VectorChange.objects.values_list("point_id", "operation", "job_id")) == {
        (row.pk, "delete", job.pk) for row in mine
    }
    assert (marked(knowledge.source), marked(other)) == (("ready", None), ("extracted", 1))
    assert (OWNER.remove_chunk(job.pk, size=1000), OWNER.count([job.pk])) == ({}, 0)


def test_a_source_of_which_others_extracted_something_is_partly_extracted(knowledge: Knowledge, job: Job) -> None:
    Source.objects.update(status="extracted", extracted_version=1)
    knowledge.extraction({"a": 1}, job=job)
    theirs = knowledge.extraction({"a": 2}, field_group="person")
    OWNER.remove_chunk(job.pk, size=1000)
    assert list(Extraction.objects.values_list("pk", flat=True)) == [theirs.pk]
    assert marked(knowledge.source) == ("partial", None)


def test_chunks_reach_the_end_when_many_extractions_share_a_source(knowledge: Knowledge, job: Job) -> None:
    sources = [knowledge.make_source(f"https://b.test/{n}") for n in range(3)]
    for source in sources:
        for number in range(4):
            knowledge.extraction({"a": number}, source=source, job=job)
    taken = []
    while removed := OWNER.remove_chunk(job.pk, size=5):
        taken.append(removed["extractions"].deleted)
    assert (sum(taken), Extraction.objects.count()) == (12, 0)
    assert all(number % 4 == 0 for number in taken)  # a source's extractions go together


def test_adopted_extractions_belong_to_the_project(knowledge: Knowledge, job: Job) -> None:
    rows = [knowledge.extraction({"a": n}, job=job) for n in range(3)]
    VectorChange.objects.all().delete()
    Source.objects.update(status="extracted", extracted_version=1)
    assert OWNER.adopt_chunk(job.pk, size=1000) == 3
    assert OWNER.adopt_chunk(job.pk, size=1000) == 0
    assert set(Extraction.objects.values_list("pk", "job_id")) == {(row.pk, None) for row in rows}
    assert set(VectorChange.objects.values_list("operation", "job_id")) == {("upsert", None)}
    assert marked(knowledge.source) == ("extracted", 1)


def test_values_and_evidence_are_never_read(knowledge: Knowledge, job: Job) -> None:
    for number in range(20):
        knowledge.extraction({"a": number}, job=job)
    with CaptureQueriesContext(connection) as queries:
        OWNER.count([job.pk])
        OWNER.remove_chunk(job.pk, size=1000)
    statements = [query["sql"] for query in queries.captured_queries]
    assert [sql for sql in statements if re.search(r'"(data|evidence|notes|body|text)"', sql)] == []
    assert sum(sql.startswith("DELETE") for sql in statements) == 1
    assert len(statements) <= 8
