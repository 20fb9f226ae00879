"""The triggers: every way in which a row can change leaves its change in the outbox."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from crawling.models import Source
from extraction.models import AuditRequest, Extraction, Passage, VectorChange
from jobs.models import Project
from tests.helpers.knowledge import Knowledge, change, changes

pytestmark = pytest.mark.django_db


def emptied() -> None:
    VectorChange.objects.all().delete()


def test_insert_queues_an_upsert_with_the_job(knowledge: Knowledge) -> None:
    passage, extraction = knowledge.passage(), knowledge.extraction({"name": "AQ-20"})
    assert changes() == {passage.pk: "upsert", extraction.pk: "upsert"}
    assert {change(row).job_id for row in (passage, extraction)} == {knowledge.job.pk}
    assert [change(passage).kind, change(extraction).kind] == ["passage", "extraction"]


def test_one_statement_queues_all_its_rows(knowledge: Knowledge) -> None:
    rows = knowledge.passages(300)
    assert changes() == {row.pk: "upsert" for row in rows}
    assert len(set(VectorChange.objects.values_list("version", flat=True))) == 300


@pytest.mark.parametrize(
    "columns", [{"text": "new"}, {"context": "Guide"}, {"job": None}], ids=lambda columns: next(iter(columns))
)
def test_update_of_a_passage_column_that_matters(knowledge: Knowledge, columns: dict) -> None:
    passage, other = knowledge.passage(), knowledge.passage()
    emptied()
    Passage.objects.filter(pk=passage.pk).update(**columns)
    assert changes() == {passage.pk: "upsert"}, other.pk


@pytest.mark.parametrize(
    "columns",
    [{"data": {"name": "x"}}, {"ungrounded": ["name"]}, {"field_group": "person"}, {"job": None}],
    ids=lambda columns: next(iter(columns)),
)
def test_update_of_an_extraction_column_that_matters(knowledge: Knowledge, columns: dict) -> None:
    extraction = knowledge.extraction({"name": "AQ-20"})
    emptied()
    Extraction.objects.filter(pk=extraction.pk).update(**columns)
    assert changes() == {extraction.pk: "upsert"}


def test_update_of_project_and_source(knowledge: Knowledge) -> None:
    passage, extraction = knowledge.passage(), knowledge.extraction({"name": "AQ-20"})
    emptied()
    other = Project.objects.create(name="Lakes")
    source = knowledge.make_source("https://a.test/2", project=other)
    for row in (passage, extraction):
        type(row).objects.filter(pk=row.pk).update(source=source)
        assert change(row).operation == "upsert"
        emptied()
        type(row).objects.filter(pk=row.pk).update(project=other)
        assert change(row).operation == "upsert"
        emptied()


def test_update_of_anything_else_queues_nothing(knowledge: Knowledge) -> None:
    passage, extraction = knowledge.passage(), knowledge.extraction({"name": "AQ-20"})
    emptied()
    Passage.objects.filter(pk=passage.pk).update(ordinal=7, heading_path=["a"], text=passage.text)
    Extraction.objects.filter(pk=extraction.pk).update(confidence=0.1, notes=["n"], data=extraction.data)
    assert changes() == {}


def test_a_changed_id_leaves_one_point_for_another(knowledge: Knowledge) -> None:
    passage, fresh = knowledge.passage(), uuid4()
    emptied()
    Passage.objects.filter(pk=passage.pk).update(id=fresh)
    assert changes() == {passage.pk: "delete", fresh: "upsert"}
    assert set(VectorChange.objects.values_list("job_id", flat=True)) == {knowledge.job.pk}


def test_raw_delete_is_seen(knowledge: Knowledge) -> None:
    rows = knowledge.passages(3)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM extraction_passage WHERE ordinal < 2")
    assert changes() == {rows[0].pk: "delete", rows[1].pk: "delete", rows[2].pk: "upsert"}
    assert change(rows[0]).job_id == knowledge.job.pk


def test_cascade_is_seen(knowledge: Knowledge) -> None:
    rows = [*knowledge.passages(2), knowledge.extraction({"name": "AQ-20"})]
    emptied()
    with connection.cursor() as cursor:
        for table in ("extraction_passage", "extraction_extraction"):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(
                f"ALTER TABLE {table} ADD CONSTRAINT gone_with_source FOREIGN KEY (source_id)"
                " REFERENCES crawling_source ON DELETE CASCADE"
            )
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("DELETE FROM crawling_source WHERE id = %s", [knowledge.source.pk])
    assert changes() == {row.pk: "delete" for row in rows}


def test_upsert_by_sql_is_seen_both_ways(knowledge: Knowledge) -> None:
    passage = knowledge.passage("old")
    emptied()
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO extraction_passage
                   (id, project_id, source_id, job_id, ordinal, start, "end", text, heading_path, context)
               SELECT CASE o WHEN 0 THEN id ELSE gen_random_uuid() END, project_id, source_id, job_id, o, 0, 3,
                      'new', '[]', ''
               FROM extraction_passage, generate_series(0, 1) AS o
               ON CONFLICT (source_id, ordinal) DO UPDATE SET text = EXCLUDED.text"""
        )
    assert set(changes().values()) == {"upsert"}
    assert set(changes()) == set(Passage.objects.values_list("pk", flat=True)) > {passage.pk}


@pytest.mark.parametrize("column", ["source_group", "language"])
def test_payload_columns_of_the_source_queue_its_children(knowledge: Knowledge, column: str) -> None:
    rows = [knowledge.passage(), knowledge.extraction({"name": "AQ-20"})]
    stranger = knowledge.passage(source=knowledge.make_source("https://a.test/2"))
    emptied()
    Source.objects.filter(pk=knowledge.source.pk).update(**{column: "xx"})
    assert changes() == {row.pk: "upsert" for row in rows}, stranger.pk
    assert change(rows[0]).job_id == knowledge.job.pk


def test_the_title_is_indexed_with_extractions_only(knowledge: Knowledge) -> None:
    extraction = knowledge.extraction({"name": "AQ-20"})
    knowledge.passage()  # its title is part of its own context
    emptied()
    Source.objects.filter(pk=knowledge.source.pk).update(title="Another")
    assert changes() == {extraction.pk: "upsert"}


def test_other_columns_of_the_source_queue_nothing(knowledge: Knowledge) -> None:
    knowledge.passage()
    emptied()
    Source.objects.filter(pk=knowledge.source.pk).update(
        status="failed", fetched_at=timezone.now(), source_group="acme"
    )
    assert changes() == {}


def test_a_newer_change_resets_the_old_one_but_no_lease(knowledge: Knowledge) -> None:
    passage, lease, later = knowledge.passage(), uuid4(), timezone.now() + timedelta(minutes=5)
    VectorChange.objects.update(
        lease=lease, lease_until=later, late_write_until=later, attempts=3, not_before=later, last_error="no"
    )
    before = change(passage)
    Passage.objects.filter(pk=passage.pk).delete()
    after = change(passage)
    assert (after.operation, after.attempts, after.not_before, after.last_error) == ("delete", 0, None, "")
    assert after.version > before.version and after.queued_at > before.queued_at
    assert (after.lease, after.lease_until, after.late_write_until) == (lease, later, later)


def test_rows_are_locked_in_the_order_of_their_ids(knowledge: Knowledge) -> None:
    ids = sorted((uuid4() for _ in range(50)), reverse=True)
    Passage.objects.bulk_create(
        Passage(id=id, **knowledge._passage("text", number, {})) for number, id in enumerate(ids)
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT point_id FROM extraction_vectorchange ORDER BY ctid")
        assert [row[0] for row in cursor.fetchall()] == sorted(ids)


@pytest.mark.parametrize("table", ["extraction_passage", "extraction_extraction", "extraction_vectorchange"])
def test_truncate_asks_for_an_audit(knowledge: Knowledge, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"TRUNCATE {table}")
    assert list(AuditRequest.objects.values_list("reason", flat=True)) == [f"{table} was truncated"]


def test_triggers_work_with_an_empty_search_path(knowledge: Knowledge) -> None:
    passage = knowledge.passage()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL search_path = ''")
        cursor.execute("DELETE FROM public.extraction_passage")
        cursor.execute("SET LOCAL search_path = public")
    assert changes() == {passage.pk: "delete"}
