"""API keys in the admin: shown once, revoked with a reason, never deleted."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from jobs.api.keys import key_create, key_user
from jobs.models import ApiKey

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/apikey/"


def said(answer: Any) -> list[str]:
    """Return the messages of a page."""
    return [str(message) for message in answer.context["messages"]]


def test_a_new_key_works_and_is_shown_once(admin_client: Client, admin_user: User) -> None:
    answer = admin_client.post(f"{LIST}add/", {"user": admin_user.pk, "name": "crawler"}, follow=True)
    found = re.search(r"The key is (qk_\S+)", " ".join(said(answer)))
    assert found
    assert key_user(found[1]) == admin_user
    assert ApiKey.objects.count() == 1
    assert found[1] not in admin_client.get(LIST).content.decode()


def test_a_revoked_key_opens_nothing_and_the_log_says_why(admin_client: Client, admin_user: User) -> None:
    value = key_create(username=admin_user.username, name="old")
    key = ApiKey.objects.get()
    asked = admin_client.post(f"{LIST}act/", {"do": "revoke", "id": key.pk})
    form = {"do": "revoke", "frozen": asked.context_data["frozen"], "reason": "lost laptop"}
    assert said(admin_client.post(f"{LIST}act/", form, follow=True)) == ["Revoke: 1 revoked, 0 already revoked."]
    assert key_user(value) is None
    assert LogEntry.objects.get(object_id=str(key.pk)).change_message == "Revoked: lost laptop"
    assert said(admin_client.post(f"{LIST}act/", form, follow=True)) == ["Revoke: 0 revoked, 1 already revoked."]


def test_keys_are_neither_changed_nor_deleted(admin_client: Client, admin_user: User) -> None:
    key_create(username=admin_user.username, name="kept")
    key = ApiKey.objects.get()
    assert admin_client.post(f"{LIST}{key.pk}/change/", {"user": admin_user.pk, "name": "new"}).status_code == 403
    assert admin_client.post(f"{LIST}{key.pk}/delete/", {"post": "yes"}).status_code == 403
    assert ApiKey.objects.get().name == "kept"


def test_who_may_not_change_users_makes_keys_for_oneself_only(admin_user: User) -> None:
    staff = User.objects.create_user("mona", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["add_apikey", "view_apikey"]))
    client = Client()
    client.force_login(staff)
    refused = client.post(f"{LIST}add/", {"user": admin_user.pk, "name": "sneaky"})
    assert refused.status_code == 200
    assert "user" in refused.context_data["adminform"].form.errors
    client.post(f"{LIST}add/", {"user": staff.pk, "name": "own"})
    assert list(ApiKey.objects.values_list("user__username", flat=True)) == ["mona"]
