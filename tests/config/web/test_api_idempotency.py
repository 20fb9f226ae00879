"""`Idempotency-Key`: whatever is sent again creates nothing twice, and the reply stays the same to the letter."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from config.web.api import api as quarry_api
from crawling.models import Source, SourceContent
from jobs.api import idempotency, idempotent
from jobs.api.idempotency import KeyedRequest, StoredReply, keys_expire
from jobs.models import IdempotencyKey, Job, Project
from jobs.worker import healing
from tests.helpers.api_client import problem_of

pytestmark = pytest.mark.usefixtures("sent")  # messages go to a broker of the test
KEY = "0b3c-1 any text~"


@pytest.fixture
def creations(project):
    """Return every creating request: path, body, another body, and what it creates."""
    source = Source.objects.create(project=project, url="https://a.example/", status="ready")
    SourceContent.objects.create(source=source, body=b"", text="Some text.")
    template = {"template": "default", "name": "n"}
    crawl = {"url": "https://a.example/", "project_id": str(project.pk)}
    scrape = {"urls": ["https://a.example/"], "project_id": str(project.pk)}
    return {
        "projects": ("/projects", {"name": "n"}, {"name": "m"}, Project),
        "from-template": ("/projects/from-template", template, template | {"name": "m"}, Project),
        "crawl": ("/crawl", crawl, crawl | {"limit": 3}, Job),
        "scrape": ("/scrape", scrape, scrape | {"company": "c"}, Job),
        "extract": (f"/projects/{project.pk}/extract", {"force": True}, {"force": False}, Job),
    }


def send(api, path, body, key=KEY):
    return api.send("POST", path, body, {"Idempotency-Key": key})


@pytest.mark.parametrize("name", ["projects", "from-template", "crawl", "scrape", "extract"])
def test_sent_again_it_creates_nothing_and_the_reply_is_the_same(api, creations, name):
    path, body, other, model = creations[name]
    before = model.objects.count()
    first = send(api, path, body)
    assert first.status_code in (201, 202), first.content
    assert "Idempotency-Replayed" not in first.headers
    for same in (body, dict(reversed(body.items()))):
        again = send(api, path, same)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert model.objects.count() == before + 1
    problem = problem_of(send(api, path, other), 422, "idempotency_mismatch")
    assert KEY in problem["detail"]
    assert model.objects.count() == before + 1


def test_every_creating_request_declares_the_header(db):
    paths = quarry_api.get_openapi_schema(path_prefix="")["paths"]
    declared = {
        path
        for path, operations in paths.items()
        for parameter in operations.get("post", {}).get("parameters", [])
        if (parameter["in"], parameter["name"]) == ("header", "Idempotency-Key")
    }
    assert {path.lstrip("/") for path in declared} == {
        "projects",
        "projects/from-template",
        "crawl",
        "scrape",
        "projects/{project_id}/extract",
    }


def test_a_key_belongs_to_one_path_and_one_user(api, api_of, creations):
    path, body, _, _ = creations["projects"]
    assert send(api, path, body).status_code == 201
    problem_of(send(api, "/projects/from-template", body), 422)
    problem_of(send(api, "/crawl", creations["crawl"][1]), 422, "idempotency_mismatch")
    other = api_of("jobs.add_project")
    assert send(other, path, {"name": "another"}).status_code == 201
    assert IdempotencyKey.objects.count() == 2


def test_a_refused_creation_leaves_the_key_free(api, creations):
    path, body, _, _ = creations["projects"]
    Project.objects.create(name="n")
    problem_of(send(api, path, body), 409, "name_taken")
    assert not IdempotencyKey.objects.exists()
    Project.objects.filter(name="n").delete()
    assert send(api, path, body).status_code == 201


def test_without_a_key_nothing_is_kept(api, creations):
    path, body, _, _ = creations["crawl"]
    assert api.post(path, body).json()["job_id"] != api.post(path, body).json()["job_id"]
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "schlüssel"])
def test_a_bad_key_is_422(api, creations, key):
    path, body, _, model = creations["crawl"]
    assert "Idempotency-Key" in problem_of(send(api, path, body, key), 422)["detail"]
    assert not model.objects.exists()


def test_a_user_without_the_permission_gets_no_stored_reply(api, api_of, creations):
    path, body, _, _ = creations["projects"]
    client = api_of("jobs.add_project")
    assert send(client, path, body).status_code == 201
    User.objects.get(username="worker").user_permissions.clear()
    problem_of(send(client, path, body), 403, "forbidden")


# Time


def age(hours):
    past = timezone.now() - timedelta(hours=hours)
    return IdempotencyKey.objects.update(created_at=past)


def test_after_a_day_a_key_is_new_again(api, creations):
    path, body, other, model = creations["crawl"]
    first = send(api, path, body)
    age(23)
    assert send(api, path, body).content == first.content
    age(25)
    assert send(api, path, other).status_code == 202
    assert model.objects.count() == 2
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_healing_removes_old_keys_so_many_at_a_time(api, monkeypatch):
    monkeypatch.setattr(idempotency, "EXPIRE_AT_ONCE", 3)
    for number in range(5):
        assert send(api, "/projects", {"name": f"n{number}"}, f"key-{number}").status_code == 201
    assert keys_expire() == 0
    age(25)
    IdempotencyKey.objects.filter(key="key-0").update(created_at=timezone.now())
    assert healing.heal().ran
    assert IdempotencyKey.objects.count() == 2
    assert keys_expire() == 1
    assert IdempotencyKey.objects.get().key == "key-0"


# Two at the same time


@pytest.mark.django_db(transaction=True)
class TestTwoAtTheSameTime:
    """The first holds the key in a transaction of its own when the second comes."""

    def first(self, api, body):
        """Return the request of the first as it takes the key."""
        user = User.objects.get(username="chief")
        request = type("Request", (), {"user": user, "method": "POST", "path": "/api/v1/projects", "body": body})
        return idempotent._keyed(request, KEY)

    def test_the_second_waits_and_gets_the_reply_of_the_first(self, api, in_thread):
        with transaction.atomic():
            keyed = self.first(api, b'{"name": "n"}')
            assert idempotency.key_take(keyed) is None
            second = in_thread(send, api, "/projects", {"name": "n"})
            second.wait_blocked()
            Project.objects.create(name="n")
            idempotency.reply_store(keyed, StoredReply(201, '{"id": "1"}'))
        reply = second.result()
        assert (reply.status_code, reply.content) == (201, b'{"id": "1"}')
        assert reply.headers["Idempotency-Replayed"] == "true"
        assert Project.objects.count() == 1

    def test_when_the_first_fails_the_second_creates(self, api, in_thread):
        with transaction.atomic():
            assert idempotency.key_take(self.first(api, b'{"name": "n"}')) is None
            second = in_thread(send, api, "/projects", {"name": "n"})
            second.wait_blocked()
            transaction.set_rollback(True)
        assert second.result().status_code == 201
        assert Project.objects.count() == 1

    def test_the_second_does_not_wait_for_ever(self, api, in_thread, monkeypatch):
        monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.1)
        with transaction.atomic():
            assert idempotency.key_take(self.first(api, b'{"name": "n"}')) is None
            reply = in_thread(send, api, "/projects", {"name": "n"}).result()
            problem = problem_of(reply, 409, "idempotency_in_progress")
            assert "repeat it" in problem["detail"]
            transaction.set_rollback(True)
        assert not Project.objects.exists()
        assert send(api, "/projects", {"name": "n"}).status_code == 201

    def test_without_a_place_to_wait_it_is_told_at_once(self, api, in_thread, monkeypatch):
        monkeypatch.setattr(idempotency.places, "number", 0)
        with transaction.atomic():
            assert idempotency.key_take(self.first(api, b'{"name": "n"}')) is None
            problem_of(in_thread(send, api, "/projects", {"name": "n"}).result(), 409, "idempotency_in_progress")
        monkeypatch.undo()

    def test_of_eight_one_creates(self, api, in_thread):
        sides = [in_thread(send, api, "/projects", {"name": "n"}) for _ in range(8)]
        replies = [side.result() for side in sides]
        assert {reply.status_code for reply in replies} <= {201, 409}
        made = [reply for reply in replies if reply.status_code == 201]
        assert len({reply.content for reply in made}) == 1
        assert sum("Idempotency-Replayed" not in reply.headers for reply in made) == 1
        assert Project.objects.count() == 1
        for reply in replies:
            if reply.status_code == 409:
                problem_of(reply, 409, "idempotency_in_progress")


def test_taking_a_key_leaves_the_time_for_locks_as_it_was(api):
    keyed = KeyedRequest(User.objects.get().pk, "k", "POST", "/", "0")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        before = cursor.fetchone()
        assert idempotency.key_take(keyed) is None
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == before
