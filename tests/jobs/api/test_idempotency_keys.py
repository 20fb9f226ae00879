"""The life of an idempotency key: kept for a day, then as if it had never been used."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from jobs.api.idempotency import KEEP_HOURS, KeyedRequest, StoredReply, key_take, keys_expire, reply_store
from jobs.models import IDEMPOTENCY_KEY_MAX_CHARACTERS, IdempotencyKey
from tests.helpers.api_client import Api, problem_of

REPLY = StoredReply(202, '{"job_id": "x"}')
SOON_OVER, OVER = timedelta(hours=KEEP_HOURS, minutes=-1), timedelta(hours=KEEP_HOURS, minutes=1)


@pytest.fixture
def request_(db: None) -> KeyedRequest:
    """A request that has been answered just now."""
    user = User.objects.create_user("ada")
    request = KeyedRequest(user.pk, "a key", "POST", "/crawl", "0" * 64)
    with transaction.atomic():
        assert key_take(request) is None
        reply_store(request, REPLY)
    return request


def used_ago(age: timedelta) -> None:
    assert IdempotencyKey.objects.update(created_at=timezone.now() - age) == 1


def test_the_reply_is_kept_for_a_day_and_then_the_key_is_new_again(request_: KeyedRequest) -> None:
    used_ago(SOON_OVER)
    assert key_take(request_) == REPLY
    used_ago(OVER)
    assert key_take(request_) is None
    kept = IdempotencyKey.objects.get()
    assert (kept.status, kept.body, timezone.now() - kept.created_at < OVER) == (0, "", True)


def test_what_is_removed_is_what_would_be_new_again(request_: KeyedRequest) -> None:
    used_ago(SOON_OVER)
    assert keys_expire() == 0
    used_ago(OVER)
    assert keys_expire() == 1
    assert not IdempotencyKey.objects.exists()


def test_the_longest_key_is_taken_and_a_longer_one_refused(api: Api) -> None:
    longest = "k" * IDEMPOTENCY_KEY_MAX_CHARACTERS
    for key, status in ((longest, 201), (longest + "k", 422)):
        reply = api.send("POST", "/projects", {"name": f"n{status}"}, {"Idempotency-Key": key})
        assert reply.status_code == status
    assert "Idempotency-Key" in problem_of(reply, 422)["detail"]
    assert IdempotencyKey.objects.get().key == longest
