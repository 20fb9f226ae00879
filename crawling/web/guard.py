"""The guard against server-side request forgery: it sees the address that a socket is about to connect to.

Whatever the spelling of the URL, the answer of the DNS or the redirect before it, the connection is made
to one address, and that one is checked here; so there is nothing to rebind between check and use.
"""

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crawling.errors import BlockedAddress

REMEDY = "add its network to CRAWL_ALLOW_NETWORKS"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")
#: Refused beyond what `ipaddress` itself calls private, reserved and so on.
_REFUSED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier-grade NAT; also a cloud's metadata service at 100.100.100.200
        "192.0.0.0/24",  # protocol assignments; metadata at 192.0.0.192
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # a cloud's metadata and health service on a public address
        "fec0::/10",  # site-local, long deprecated, still routed in places
    )
)


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Decides which addresses may be connected to: public ones, and those in `allow_networks` (the setting
    CRAWL_ALLOW_NETWORKS)."""

    allow_networks: tuple[Network, ...] = ()

    def check(self, ip: str | Address) -> None:
        """Do nothing when `ip` may be connected to. Raises: BlockedAddress."""
        try:
            address = ipaddress.ip_address(ip)
        except ValueError as error:
            raise BlockedAddress(f"“{ip}” is not an IP address, so it cannot be checked.") from error
        for candidate in _with_embedded(address):
            if _is_refused(candidate) and not self._is_allowed(candidate):
                raise BlockedAddress(
                    f"{address} is in a private or reserved network, which crawls do not enter. "
                    f"If that is intended, {REMEDY}.",
                    address=str(address),
                )

    def socket_factory(self, address_info: AddressInfo) -> socket.socket:
        """Return a fresh socket for `TCPConnector(socket_factory=…)`. Raises: BlockedAddress."""
        family, kind, protocol, _, address = address_info
        self.check(str(address[0]))
        return socket.socket(family=family, type=kind, proto=protocol)

    def _is_allowed(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self.allow_networks)


def _with_embedded(address: Address) -> Iterator[Address]:
    """Yield the addresses that a packet to `address` may end up at: every one of them must be allowed."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    inner: list[ipaddress.IPv4Address] = []
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped  # the very same destination, judged by its IPv4 rules alone
        return
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    if address.teredo is not None:
        inner.extend(address.teredo)
    if any(address in network for network in _NAT64):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)  # the translator sends it on to that address
        return
    if address in _COMPATIBLE and int(address) > 0xFFFF:
        inner.append(ipaddress.IPv4Address(int(address)))
    yield from inner
    yield address


def _is_refused(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return True
    return (
        not address.is_global
        or address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or any(address.version == network.version and address in network for network in _REFUSED)
    )
