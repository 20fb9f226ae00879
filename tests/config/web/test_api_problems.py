"""Errors as clients see them: one clear sentence each, nothing leaked, no body too large or too deep."""

import pytest
from django.db import OperationalError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from config.web.bounded_json import MAX_DEPTH
from config.web.problems import STATUS_OF, error_problem
from config.web.validation_words import validation_sentence
from extraction import errors as extraction_errors
from jobs import errors as job_errors
from jobs.errors import Conflict
from jobs.queries import listing
from tests.helpers.api_client import Api, problem_of


def test_every_error_class_has_a_status():
    for module in (job_errors, extraction_errors):
        for name, kind in vars(module).items():
            if isinstance(kind, type) and issubclass(kind, Exception):
                assert any(base in STATUS_OF for base in kind.__mro__), name


def test_the_detail_is_never_replaced_and_no_member_is_overwritten():
    reply = error_problem(Conflict("Stop it first.", code="already_finished", status="completed", type="crawl"))
    problem = problem_of(reply, 409, "already_finished")
    assert problem["detail"] == "Stop it first."
    assert problem["job_status"] == "completed"
    assert problem["job_type"] == "crawl"
    assert problem["title"] == "Not possible in the current state"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b'{"name": NaN}', "malformed_json"),
        (b'{"name": "a\\u0000b"}', "bad_text"),
        (b'{"name": "a\\ud800b"}', "bad_text"),
        (b'{"na\\u0000me": 1}', "bad_text"),
        (b'{"name": "n", "source_config": {"limit": 1e999}}', "bad_number"),
        (b'{"name": "n", "source_config": {"limit": ' + b"9" * 5000 + b"}}", "malformed_json"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "too_deep"),
        (b"[" * 200_000 + b"]" * 200_000, "too_deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too_deep"),
        (b"[]", "invalid"),
        (b'"text"', "invalid"),
        (b"null", "invalid"),
        (b"", "invalid"),
        (b"{}", "invalid"),
    ],
)
def test_a_bad_body_is_422(api, body, code):
    problem_of(api.post("/projects", body), 422, code)


def test_a_large_body_is_413(api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    problem_of(api.post("/projects", {"name": "x" * 2000}), 413, "too_large")


def test_too_many_parameters_are_400(api):
    problem_of(api.client.get("/api/v1/jobs?" + "a=1&" * 1100, headers=api.headers), 400, "bad_request")


@pytest.mark.parametrize(
    ("path", "query", "sentence"),
    [
        ("/jobs", {"limit": "101"}, "limit must be less than or equal to 100."),
        ("/jobs", {"limit": "many"}, "limit must be a valid integer, unable to parse string as an integer."),
        ("/jobs", {"offset": "-1"}, "offset must be greater than or equal to 0."),
        ("/jobs", {"offset": str(10**30)}, "offset must be less than or equal to 1000000."),
        ("/jobs", {"type": "walk"}, "There are no jobs of type 'walk'; use one of crawl, extract, scrape."),
        ("/jobs", {"type": "a\x00b"}, "The request contains a NUL character, which cannot be stored; remove it."),
        ("/projects", {"include_inactive": "maybe"}, "include_inactive must be true or false."),
    ],
)
def test_bad_parameters_are_told_in_one_sentence(api, path, query, sentence):
    assert problem_of(api.get(path, **query), 422)["detail"] == sentence


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "name is missing; add it."),
        ({"name": "n", "nmae": 1}, "nmae is not a known field; remove it."),
        ({"name": ""}, "name must have at least 1 character."),
        ({"name": 7}, "name must be a valid string."),
        ({"name": "n", "entity_types": [{}]}, "entity_types[0].name is missing; add it."),
        ({"name": "n", "entity_types": ["person"]}, "entity_types[0] must be a JSON object."),
        ({"name": "n", "source_config": []}, "source_config must be a JSON object."),
        ({"name": 1, "description": 2}, "name must be a valid string (1 more mistake after it)."),
    ],
)
def test_bad_fields_are_told_in_one_sentence(api, body, sentence):
    problem = problem_of(api.post("/projects", body), 422, "invalid")
    assert problem["detail"] == sentence
    assert problem["errors"][0]["field"] == sentence.split()[0]


def test_a_body_that_is_missing_is_told(api):
    assert problem_of(api.post("/projects"), 422)["detail"] == "The request body is missing; send it as a JSON object."


def test_the_unexpected_leaks_nothing(api, monkeypatch):
    def fail(**kwargs):
        raise RuntimeError("secret of the server")

    monkeypatch.setattr(listing, "jobs_page", fail)
    reply = api.get("/jobs")
    problem = problem_of(reply, 500, "internal")
    assert problem["incident"] in problem["detail"]
    assert b"secret" not in reply.content


def test_a_database_that_is_down_is_503(api, monkeypatch):
    def fail(**kwargs):
        raise OperationalError("connection to server at 10.1.2.3 failed")

    monkeypatch.setattr(listing, "jobs_page", fail)
    reply = api.get("/jobs")
    assert "/readyz" in problem_of(reply, 503, "database_unavailable")["detail"]
    assert b"10.1.2.3" not in reply.content


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/jobs/", "/jobs/x/y/z", "/docs"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_paths_that_lead_nowhere_are_problems_too(api, method, path):
    problem_of(api.send(method, path), 404, "no_such_path")


def test_the_session_of_the_admin_opens_no_api(client, api, admin_user):
    client.force_login(admin_user)
    problem_of(client.get("/api/v1/jobs"), 401)


def test_a_revoked_key_and_an_inactive_user_stay_outside(api, django_user_model):
    from django.utils import timezone

    from jobs.models import ApiKey

    assert api.get("/jobs").status_code == 200
    django_user_model.objects.update(is_active=False)
    problem_of(api.get("/jobs"), 401)
    django_user_model.objects.update(is_active=True)
    ApiKey.objects.update(revoked_at=timezone.now())
    problem_of(api.get("/jobs"), 401)


@pytest.mark.django_db
def test_odd_keys_are_just_wrong():
    for key in ("é" * 40, "x" * 10_000, " "):
        problem_of(Api(key).get("/jobs"), 401)


def test_hostile_text_stays_text(api):
    name = "<script>alert('x')</script>\"&"
    reply = api.post("/projects", {"name": name})
    assert reply.status_code == 201
    assert reply.headers["Content-Type"].startswith("application/json")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert api.get(f"/projects/{reply.json()['id']}").json()["name"] == name
    assert "<script>" in problem_of(api.post("/projects", {"name": name}), 409, "name_taken")["detail"]


def test_a_strange_host_is_told_too():
    problem_of(Client().get("/api/v1/jobs", headers={"Host": "evil.example"}), 400, "bad_request")
    page = Client().get("/health", headers={"Host": "evil.example"})
    assert (page.status_code, page.headers["Content-Type"]) == (400, "text/html; charset=utf-8")


def test_the_root_leads_to_the_admin():
    reply = Client().get("/")
    assert (reply.status_code, reply.headers["Location"]) == (302, "/admin/")


steps = st.lists(st.one_of(st.text(max_size=5), st.integers(0, 5)), max_size=4)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "loc": st.tuples(st.sampled_from(["body", "query", "path"])).flatmap(
                    lambda first: steps.map(lambda rest: (*first, *rest))
                ),
                "type": st.sampled_from(["missing", "extra_forbidden", "value_error", "int_parsing", "other"]),
                "msg": st.text(min_size=1, max_size=40),
            }
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_validation_error_becomes_a_sentence(errors):
    sentence, code, told = validation_sentence(errors)
    assert sentence.endswith(".")
    assert code in ("invalid", "malformed_id")
    assert 1 <= len(told) <= min(len(errors), 20)
