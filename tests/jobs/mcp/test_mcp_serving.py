"""How the `mcp` command finds its server, and how it serves: addresses, the bearer key, hosts, and no database."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import httpx2
import pytest
from django.conf import settings
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from jobs.errors import Invalid
from jobs.mcp.client import Connection, QuarryClient
from jobs.mcp.connection import DEFAULT_URL, connection_find
from jobs.mcp.replies import APIError
from jobs.mcp.serving import address_parsed, http_serve
from tests.helpers.rest_server import Answer, RestServer, rest_server

KEY = "qk_secret"


@pytest.fixture
def rest() -> Iterator[RestServer]:
    with rest_server() as running:
        yield running


# Finding the server


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """The environment that the connection is read from; nothing runs in its home."""
    environment = SimpleNamespace(quarry_url=DEFAULT_URL, quarry_api_key="", home=tmp_path)
    monkeypatch.setattr(settings, "QUARRY", environment)
    return environment


def start_up(home: Path, *, pid: int | None = None) -> None:
    """Leave the note of a running `up`."""
    note = {"url": "http://127.0.0.1:8123", "key": "local", "pid": os.getpid() if pid is None else pid}
    (home / "up.json").write_text(json.dumps(note))


def test_the_default_address_is_the_one_of_the_settings() -> None:
    assert settings.QUARRY.quarry_url == DEFAULT_URL


def test_the_running_server_of_this_machine_is_found_with_its_key(told: SimpleNamespace) -> None:
    start_up(told.home)
    assert connection_find() == Connection("http://127.0.0.1:8123", "local")
    told.quarry_api_key = KEY
    assert connection_find() == Connection("http://127.0.0.1:8123", KEY)


def test_the_local_key_goes_to_no_other_server(told: SimpleNamespace) -> None:
    start_up(told.home)
    told.quarry_url = "https://quarry.example.org"
    with pytest.raises(APIError, match=r"manage\.py apikey") as caught:
        connection_find()
    assert caught.value.code == "no_api_key"
    told.quarry_api_key = KEY
    assert connection_find() == Connection("https://quarry.example.org", KEY)


def test_without_a_running_server_a_key_is_needed(told: SimpleNamespace) -> None:
    start_up(told.home, pid=2**22 + 1)  # above the highest pid, so nobody's
    with pytest.raises(APIError, match=r"start `manage\.py up`"):
        connection_find()
    told.quarry_api_key = KEY
    assert connection_find() == Connection(DEFAULT_URL, KEY)


@pytest.mark.parametrize("key", ["schlüssel", "a\nb"])
def test_a_key_that_no_header_can_carry_is_refused(told: SimpleNamespace, key: str) -> None:
    told.quarry_api_key = key
    with pytest.raises(APIError, match="copy the key again") as caught:
        connection_find()
    assert key not in caught.value.message


# Addresses to serve on


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("8765", "127.0.0.1", 8765),
        (":8765", "127.0.0.1", 8765),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("[::1]:0", "::1", 0),
        ("quarry.example.org:8765", "quarry.example.org", 8765),
    ],
)
def test_addresses(address: str, host: str, port: int) -> None:
    assert address_parsed(address) == (host, port)


@pytest.mark.parametrize("address", ["", "here", "::1:80", "localhost:", "localhost:65536", "localhost:-1", "a:²"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Invalid, match="give HOST:PORT"):
        address_parsed(address)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        host, port = address_parsed(text)
    except Invalid:
        return
    assert host
    assert 0 <= port < 2**16


# Serving HTTP


@asynccontextmanager
async def http(rest: RestServer, *, host_names: tuple[str, ...] = ()) -> AsyncIterator[str]:
    """Serve on a free port; yield the address of MCP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = QuarryClient(lambda: Connection(rest.url, KEY))
    serving = asyncio.create_task(http_serve(client, address=f"127.0.0.1:{port}", key=KEY, host_names=host_names))
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


def bearing(key: str) -> dict[str, str]:
    """Return the headers of a request that bears the key."""
    return {"Authorization": f"Bearer {key}", "Accept": "application/json, text/event-stream"}


async def status_of(url: str, **headers: str) -> int:
    """Return the status that a POST is answered with."""
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=5)) as client:
        reply = await client.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)
        if reply.status_code == 401:
            assert reply.json()["code"] == "unauthenticated"
            assert reply.headers["WWW-Authenticate"] == "Bearer"
        return reply.status_code


def test_the_official_client_works_over_http_with_the_key(rest: RestServer) -> None:
    rest.answer = Answer({"jobs": [], "total": 0})

    async def main() -> Any:
        async with http(rest) as url:
            assert await status_of(url) == 401
            async with (
                httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as transport,
                Client(streamable_http_client(url, http_client=transport)) as agent,
            ):
                return (await agent.call_tool("list_jobs", {})).structured_content

    assert asyncio.run(main()) == {"success": True, "jobs": [], "total": 0}
    assert rest.last.headers["x-api-key"] == KEY


def test_requests_without_the_key_or_sent_elsewhere_are_refused(rest: RestServer) -> None:
    async def main() -> None:
        async with http(rest, host_names=("quarry.example.org",)) as url:
            for wrong in ("Bearer", "Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x"):
                assert await status_of(url, Authorization=wrong) == 401, wrong
            assert await status_of(url, **bearing(KEY), Host="evil.example") == 421
            assert await status_of(url, **bearing(KEY), Origin="http://evil.example") == 403
            assert await status_of(url, **bearing(KEY), Host="quarry.example.org") < 401

    asyncio.run(main())
    assert rest.seen == []


def test_a_taken_port_is_told(rest: RestServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        client = QuarryClient(lambda: Connection(rest.url, KEY))
        with pytest.raises(Invalid, match="cannot be served"):
            asyncio.run(http_serve(client, address=address, key=KEY, host_names=()))


# The command


def test_http_without_a_key_is_refused(told: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        call_command("mcp", http="127.0.0.1:0")
    assert caught.value.code == 2
    assert "set QUARRY_API_KEY" in capsys.readouterr().err
