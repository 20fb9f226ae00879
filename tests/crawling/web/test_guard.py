"""The guard looks at the address really connected to, however it was come by."""

import asyncio
import socket
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver

from crawling.errors import BlockedAddress, ConnectionFailed, FetchError
from crawling.web.fetch import fetch, open_session
from crawling.web.fetch_limits import Limits
from crawling.web.guard import AddressGuard
from crawling.web.urls import canonical_url
from tests.helpers.web_server import Reply, redirect, serve

OPEN = AddressGuard((ip_network("127.0.0.0/8"),))
CLOSED = AddressGuard()


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.192",
        "192.0.2.1", "198.18.0.1", "203.0.113.1", "168.63.129.16", "192.88.99.1", "::", "::1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "100::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "::10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe", "not an address", "2001:4860:4860::8888%1",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(ip):
    with pytest.raises(BlockedAddress) as caught:
        CLOSED.check(ip)
    assert caught.value.reason == "blocked_address" and not caught.value.is_temporary


@pytest.mark.parametrize(
    "ip",
    [
        "93.184.216.34",
        "8.8.8.8",
        "172.32.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_public_addresses_pass(ip):
    CLOSED.check(ip)
    assert CLOSED.allow_networks == ()


def test_only_the_named_networks_are_let_through():
    guard = AddressGuard((ip_network("127.0.0.0/8"), ip_network("fd00::/8")))
    for ip in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::5"):
        guard.check(ip)
    for ip in ("10.0.0.1", "::1", "fc00::1"):
        with pytest.raises(BlockedAddress):
            guard.check(ip)


class Names(AbstractResolver):
    """Answers each look-up with the next of a list of addresses (the last one for ever)."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(self, host, port=0, family=socket.AF_INET):
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            {
                "hostname": host, "host": ip, "port": port, "proto": 0, "flags": socket.AI_NUMERICHOST,
                "family": socket.AF_INET6 if ":" in ip else socket.AF_INET,
            }
            for ip in addresses
        ]  # fmt: skip

    async def close(self) -> None:
        return None


async def attempt(url, *, guard=CLOSED, resolver=None):
    limits = Limits(total_seconds=5, connect_seconds=2)
    async with open_session(guard, user_agent="test", limits=limits, resolver=resolver) as session:
        return await fetch(session, url, limits=limits)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]"]
)
def test_loopback_is_refused_in_every_spelling(host):
    with serve({"/": "secret"}) as server:
        with pytest.raises(BlockedAddress):
            asyncio.run(attempt(canonical_url(server.url("/", host=host))))
        assert server.requests == []
        if host == "127.0.0.1":
            assert asyncio.run(attempt(server.url("/"), guard=OPEN)).body == b"secret", "the server did answer"


@pytest.mark.parametrize(
    "answer", [["127.0.0.1"], ["::ffff:127.0.0.1"], ["127.0.0.1", "::1"], ["10.0.0.1", "127.0.0.1"]]
)
def test_a_name_that_leads_inside_is_refused(answer):
    with serve({"/": "secret"}) as server:
        with pytest.raises(BlockedAddress):
            asyncio.run(attempt(server.url("/", host="public.example"), resolver=Names(answer)))
        assert server.requests == []


def test_a_name_that_changes_its_address_is_refused_at_the_connection():
    """Whoever resolves first and connects later would be fooled by the second answer."""
    page = Reply("secret", headers={"Connection": "close"})
    with serve({"/": page}, addresses=("127.0.0.1", "127.0.0.2")) as server:
        guard = AddressGuard((ip_network("127.0.0.2/32"),))  # stands for the public address

        async def twice():
            names = Names(["127.0.0.2"], ["127.0.0.1"])
            limits = Limits(total_seconds=5)
            async with open_session(guard, user_agent="test", limits=limits, resolver=names) as session:
                first = await fetch(session, server.url("/", host="rebinding.example"))
                session.connector.clear_dns_cache()
                with pytest.raises(BlockedAddress):
                    await fetch(session, server.url("/x", host="rebinding.example"))
                return first

        first = asyncio.run(twice())
        assert first.body == b"secret" and first.remote_address == "127.0.0.2"
        assert server.paths == ["/"]


def test_a_redirect_inside_is_returned_and_refused_when_followed():
    with serve({"/": lambda request: redirect("http://169.254.169.254/latest/meta-data/")}) as server:
        fetched = asyncio.run(attempt(server.url("/"), guard=OPEN))
        assert fetched.location == "http://169.254.169.254/latest/meta-data/"
        with pytest.raises(BlockedAddress):
            asyncio.run(attempt(fetched.location, guard=OPEN))


def test_proxies_from_the_environment_are_not_used(monkeypatch):
    with serve({"/": "direct"}) as server, serve({}) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        assert asyncio.run(attempt(server.url("/"), guard=OPEN)).body == b"direct"
        assert proxy.requests == []


def test_an_address_that_refuses_is_not_reported_as_blocked():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(ConnectionFailed) as caught:
            asyncio.run(attempt(url, guard=OPEN))
    assert isinstance(caught.value, FetchError) and caught.value.is_temporary
