"""What is counted of jobs, and how much of it is shown."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from jobs.models import Job, Lane, WorkItem
from jobs.queries import tallies
from jobs.queries.tallies import HOSTS_SHOWN

pytestmark = pytest.mark.django_db


def test_a_retry_offers_the_hosts_with_most_to_do_and_no_more_than_fit(make_job: Callable[..., Job]) -> None:
    job = make_job(HOSTS_SHOWN + 2)
    WorkItem.objects.filter(job=job).update(state="failed", reason="dns", finished_at=timezone.now())
    for number, item in enumerate(WorkItem.objects.filter(job=job).order_by("key")):
        host = "host:most.test" if number < 2 else f"host:{number:02}.test"
        item.lane, _ = Lane.objects.get_or_create(key=host)
        item.save(update_fields=["lane"])
    reasons, hosts = tallies.items_retryable([job.pk])
    assert reasons == [("dns", HOSTS_SHOWN + 2)]
    expected = [("most.test", 2), *[(f"{number:02}.test", 1) for number in range(2, HOSTS_SHOWN + 2)]]
    assert (len(expected), hosts) == (HOSTS_SHOWN + 1, expected[:HOSTS_SHOWN])
