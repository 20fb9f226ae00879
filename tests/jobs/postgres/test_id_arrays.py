"""The lookup `any`: ids as one array, none as no statement at all."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.models import Job, Lane, Project
from jobs.postgres.id_arrays import IdArray

pytestmark = pytest.mark.django_db


def test_ids_travel_as_one_array(make_job) -> None:
    jobs = [make_job(), make_job()]
    with CaptureQueriesContext(
        connection,
    ) as captured:
        found = Job.objects.filter(pk__any=[*(job.pk for job in jobs), uuid4()]).order_by("pk")
        assert [job.pk for job in found] == sorted(job.pk for job in jobs)
    assert captured.captured_queries[0]["sql"].count("= ANY(") == 1
    assert Job.objects.filter(project_id__any=IdArray([jobs[0].project_id])).count() == 2


def test_no_ids_send_no_statement() -> None:
    with CaptureQueriesContext(connection) as captured:
        assert not Lane.objects.filter(pk__any=[]).exists()
        assert Lane.objects.filter(pk__any=IdArray([])).update(paused_by="x") == 0
    assert captured.captured_queries == []


def test_texts_are_refused() -> None:
    with pytest.raises(TypeError, match="`any` takes ids, and name is of type"):
        Project.objects.filter(name__any=["a"]).exists()
