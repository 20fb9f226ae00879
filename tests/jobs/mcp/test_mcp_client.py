"""The REST client against a real server: every kind of failure is told in a sentence, and only what is safe is
sent twice."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mcp.client import Connection, QuarryClient, segment
from jobs.mcp.replies import APIError
from tests.helpers.rest_server import Answer, RestServer, Seen, problem, rest_server

KEY = "qk_secret"
Calls = Callable[[QuarryClient], Awaitable[Any]]

DETAIL = "The job is running; cancel it or let it finish, then it can be cleaned up."
GET: Calls = lambda client: client.get("/jobs/1")  # noqa: E731
CREATE: Calls = lambda client: client.create("/crawl", {"url": "https://example.org/", "company": None})  # noqa: E731
POST: Calls = lambda client: client.post("/jobs/1/cancel", force=True)  # noqa: E731
DELETE: Calls = lambda client: client.delete("/jobs/1", cleanup=True, wait_seconds=20)  # noqa: E731


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as running:
        yield running


def run(url: str, calls: Calls, **options: Any) -> Any:
    """Return what the calls return, made with a client of the server at `url` that does not wait to try again."""

    async def main() -> Any:
        given_options = {"retry_waits_seconds": (0.0, 0.0)} | options
        async with QuarryClient(lambda: Connection(url, KEY), **given_options) as client:
            return await calls(client)

    return asyncio.run(main())


def error_of(url: str, calls: Calls, **options: Any) -> APIError:
    """Return the error that the calls end with."""
    with pytest.raises(APIError) as caught:
        run(url, calls, **options)
    assert KEY not in caught.value.message
    assert caught.value.message.endswith(".")
    return caught.value


# What is sent


def test_a_request_carries_key_query_and_body(server: RestServer) -> None:
    server.answer = Answer({"a": [1]})
    assert run(server.url, lambda client: client.get("/jobs", limit=5, status=None, all=True)) == {"a": [1]}
    assert (server.last.method, server.last.path) == ("GET", "/jobs")
    assert server.last.query == {"limit": ["5"], "all": ["true"]}
    assert server.last.headers["x-api-key"] == KEY
    run(server.url, lambda client: client.post("/x", {"a": 1, "b": None}, wait_seconds=7))
    assert (server.last.body, server.last.headers["prefer"]) == ({"a": 1}, "wait=7")
    run(server.url, DELETE)
    assert (server.last.method, server.last.query) == ("DELETE", {"cleanup": ["true"]})


def test_an_empty_reply_is_none(server: RestServer) -> None:
    server.answer = Answer(status=204, content_type=None)
    assert run(server.url, DELETE) is None


def test_a_base_path_and_a_final_slash_are_kept_apart(server: RestServer) -> None:
    run(f"{server.url}/quarry/", GET)
    assert server.last.target == "/quarry/api/v1/jobs/1"


def test_no_proxy_sees_requests_to_this_machine(server: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody_answers:
        proxy = f"http://127.0.0.1:{nobody_answers.getsockname()[1]}"
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert run(server.url, GET, answer_seconds=5.0) == {}


# What failures say


@pytest.mark.parametrize("calls", [GET, CREATE, POST, DELETE], ids=["get", "create", "post", "delete"])
@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "unauthenticated"), (403, "forbidden"), (404, "not_found"), (409, "job_active"), (422, "invalid")],
)
def test_the_servers_own_words_are_kept(server: RestServer, status: int, code: str, calls: Calls) -> None:
    server.answer = problem(status, code, DETAIL, job_status="running")
    error = error_of(server.url, calls)
    assert (error.message, error.status_code, error.code) == (DETAIL, status, code)
    assert len(server.seen) == 1, "a refusal is final"


@pytest.mark.parametrize("status", [500, 503])
def test_a_failing_servers_own_words_are_kept_too(server: RestServer, status: int) -> None:
    server.answer = problem(status, "database_unavailable", "The database does not answer; see /readyz.")
    error = error_of(server.url, POST)
    assert (error.message, error.code) == ("The database does not answer; see /readyz.", "database_unavailable")


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (Answer(b"<h1>Bad gateway</h1>", 502, "text/html"), "http_502", "answered 502 Bad Gateway and gave no reason"),
        (Answer(b"", 500, None), "http_500", "see the server's log"),
        (Answer(b"<h1>?</h1>", 404, "text/html"), "http_404", "check QUARRY_URL"),
        (Answer(b"[1, 2]", 400), "http_400", "check QUARRY_URL"),
        (Answer(b"<h1>Hello</h1>", 200, "text/html"), "not_json", "text/html instead of JSON"),
        (Answer(b"hello", 200, None), "not_json", "instead of JSON"),
        (Answer(b'{"half', 200), "not_json", "broken JSON"),
        (Answer(b"", 301, None, {"Location": "https://other/"}), "http_301", "a redirect to https://other/"),
    ],
    ids=["502", "empty 500", "foreign 404", "list 400", "html", "untyped", "broken", "redirect"],
)
def test_a_reply_that_cannot_be_read_is_told_in_a_sentence(
    server: RestServer, answer: Answer, code: str, words: str
) -> None:
    server.answer = answer
    error = error_of(server.url, POST)
    assert (error.status_code, error.code) == (answer.status, code)
    assert words in error.message
    assert server.url in error.message
    assert len(server.seen) == 1


def test_a_detail_that_is_no_text_is_still_told(server: RestServer) -> None:
    server.answer = Answer({"detail": [{"loc": ["body", "url"], "msg": "missing."}]}, 422)
    with pytest.raises(APIError, match=r'"msg": "missing\."') as caught:
        run(server.url, POST)
    assert caught.value.code == "http_422"


def test_nobody_there(server: RestServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = error_of(f"http://127.0.0.1:{port}", POST)
    assert (error.status_code, error.code) == (None, "unreachable")
    assert "manage.py up" in error.message


@pytest.mark.parametrize(
    "answer",
    [Answer(hangs_up=True), Answer(b'{"a":', hangs_up=True, claims_bytes=10)],
    ids=["no answer", "half an answer"],
)
def test_a_broken_connection(server: RestServer, answer: Answer) -> None:
    server.answer = answer
    error = error_of(server.url, POST)
    assert (error.status_code, error.code) == (None, "connection_broken")
    assert len(server.seen) == 1


@pytest.mark.parametrize("calls", [GET, CREATE, POST, DELETE], ids=["get", "create", "post", "delete"])
def test_no_answer_in_time_is_not_asked_again(server: RestServer, calls: Calls) -> None:
    def answer(_: Seen) -> Answer:
        server.closing.wait(30)
        return Answer(hangs_up=True)

    server.answer = answer
    error = error_of(server.url, calls, answer_seconds=1.0)
    assert (error.status_code, error.code) == (None, "timeout")
    assert "may still be under way" in error.message
    assert len(server.seen) == 1


def test_an_unreadable_encoding_or_scheme(server: RestServer) -> None:
    server.answer = Answer(b"not gzip", headers={"Content-Encoding": "gzip"})
    assert error_of(server.url, GET).code == "unreadable"
    assert error_of("ftp://127.0.0.1", GET).code == "unreadable"


def test_a_password_in_the_address_is_not_told(server: RestServer) -> None:
    server.answer = Answer(b"", 500, None)
    error = error_of(server.url.replace("//", "//joe:hunter2@"), POST)
    assert "hunter2" not in error.message
    assert server.url in error.message


# What is sent twice

PASSING = [problem(503, "unavailable", "Try again."), Answer(b"", 502, None), Answer(hangs_up=True)]


@pytest.mark.parametrize("passing", PASSING, ids=["503", "502", "hang-up"])
def test_reading_is_tried_again(server: RestServer, passing: Answer) -> None:
    server.answers = [passing, passing]
    server.answer = Answer({"ok": 1})
    assert run(server.url, GET) == {"ok": 1}
    assert len(server.seen) == 3


@pytest.mark.parametrize("passing", PASSING, ids=["503", "502", "hang-up"])
def test_creating_is_tried_again_under_the_same_key(server: RestServer, passing: Answer) -> None:
    server.answers = [passing]
    server.answer = Answer({"job_id": "x"}, 202)
    assert run(server.url, CREATE) == {"job_id": "x"}
    first, second = server.seen
    assert first.body == second.body == {"url": "https://example.org/"}
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert UUID(first.headers["idempotency-key"]).version == 4
    run(server.url, CREATE)
    assert server.last.headers["idempotency-key"] != first.headers["idempotency-key"]


def test_the_answer_of_a_first_attempt_that_is_still_at_work_is_fetched(server: RestServer) -> None:
    busy = problem(409, "idempotency_in_progress", "A request with this Idempotency-Key is still under way.")
    server.answers = [Answer(hangs_up=True), busy]
    server.answer = Answer({"job_id": "x"}, 202)
    assert run(server.url, CREATE) == {"job_id": "x"}
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 1


@pytest.mark.parametrize("calls", [POST, DELETE], ids=["post", "delete"])
@pytest.mark.parametrize("passing", PASSING, ids=["503", "502", "hang-up"])
def test_nothing_else_is_sent_twice(server: RestServer, passing: Answer, calls: Calls) -> None:
    server.answer = passing
    error_of(server.url, calls)
    assert len(server.seen) == 1
    assert "idempotency-key" not in server.last.headers


def test_attempts_are_bounded_and_wait_in_between(server: RestServer) -> None:
    server.answer = problem(503, "unavailable", "Try again.")
    loop_times: list[float] = []

    async def calls(client: QuarryClient) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(APIError, match=r"Try again\."):
            await client.get("/jobs")
        loop_times.append(loop.time() - began)

    run(server.url, calls, retry_waits_seconds=(0.05, 0.1))
    assert len(server.seen) == 3
    assert loop_times[0] >= 0.15


def test_a_server_that_came_back_elsewhere_is_found() -> None:
    with rest_server() as first, rest_server() as second:
        addresses = iter([first.url, second.url])
        first.answer = Answer(hangs_up=True)
        second.answer = Answer({"ok": 1})

        async def main() -> Any:
            locate = lambda: Connection(next(addresses), KEY)  # noqa: E731
            async with QuarryClient(locate, retry_waits_seconds=(0.0,)) as client:
                return await client.get("/jobs")

        assert asyncio.run(main()) == {"ok": 1}


# Ids in paths


@given(st.text(st.characters(exclude_categories=())))
def test_an_id_is_one_part_of_a_path_or_refused(text: str) -> None:
    try:
        part = segment(text, name="job_id")
    except APIError as error:
        assert not text.strip(".")
        assert (error.code, error.status_code) == ("invalid", 422)
    else:
        assert not set(part) & set("/?#")
        assert part.strip(".")


@pytest.mark.parametrize("hostile", ["../projects", "a/b", "x?force=true", "x#y", "%2e%2e"])
def test_an_id_cannot_lead_elsewhere(server: RestServer, hostile: str) -> None:
    run(server.url, lambda client: client.get(f"/jobs/{segment(hostile, name='job_id')}"))
    assert server.last.path.startswith("/jobs/")
    assert server.last.path.count("/") == 2
    assert server.last.query == {}
