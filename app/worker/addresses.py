"""Which addresses webhooks may lead to, checked where the connection is made.

A name is looked up here, and what is connected to is the address that was checked: it may say
something else a moment later.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

import httpcore

Address = IPv4Address | IPv6Address

_GLOBAL = IPv6Network("2000::/3")
# Those in which an IPv4 address hides, and those of no host.
_NAT64 = IPv6Network("64:ff9b::/96")
_SPECIAL: tuple[IPv4Network | IPv6Network, ...] = (
    *map(IPv6Network, ("2001::/23", "2002::/16", "2620:4f:8000::/48", "3fff::/20")),
    *map(IPv4Network, ("192.88.99.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24")),
)
_LOOKUPS = 32
_MOST_TRIED = 3
_PATIENCE = 3.0


class ForbiddenAddress(Exception):  # noqa: N818 - it says what was found
    """The name leads to an address that webhooks must not reach."""


def is_public(address: Address) -> bool:
    """Whether anybody may be there whom anybody may reach."""
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return False
    if isinstance(address, IPv6Address) and address not in _GLOBAL:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def unwrapped(address: Address) -> Address:
    """The IPv4 address that is meant by one of IPv6, where it is the network's translation."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class Addresses:
    """Looks names up and refuses those that lead to anything private, but for one's own."""

    def __init__(self, allowed: str | None = None) -> None:
        networks = allowed.split(",") if allowed else ()
        self._allowed = [ip_network(network.strip()) for network in networks]
        self._threads = ThreadPoolExecutor(_LOOKUPS, "lookup")
        self._looking: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def find(self, host: str, port: int) -> list[str]:
        """The addresses behind a name; ForbiddenAddress when any of them is, OSError without any.

        Who asks for a name that is being looked up waits for that answer: a name server that does
        not answer takes one thread for a name.
        """
        asked = host, port
        if (looking := self._looking.get(asked)) is None:
            looking = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, *asked)
            self._looking[asked] = looking
            looking.add_done_callback(lambda _: self._looking.pop(asked, None))
        found = await asyncio.shield(looking)
        self._check(found)
        return found

    def _check(self, found: Iterable[str]) -> None:
        for text in found:
            meant = unwrapped(ip_address(text))
            own = any(meant in network for network in self._allowed)
            if not own and not is_public(meant):
                raise ForbiddenAddress(f"leads to {text}, which is no public address")

    def close(self) -> None:
        """Lets the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class CheckedConnections(httpcore.AsyncNetworkBackend):
    """Connects to nothing but addresses that were checked."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore has it
        *arguments: Any,
        **options: Any,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first of the host's addresses that takes one.

        One that does not answer leaves time for the next.
        """
        found = (await self._addresses.find(host, port))[:_MOST_TRIED]
        for address in found[:-1]:
            try:
                return await self._network.connect_tcp(
                    address, port, _PATIENCE, *arguments, **options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(found[-1], port, timeout, *arguments, **options)

    async def connect_unix_socket(self, *arguments: Any, **options: Any) -> Any:
        """Nobody is there."""
        raise ForbiddenAddress("is a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await self._network.sleep(seconds)


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates are believed; they take 45 ms to read, where anything is sent at all."""
    import httpx  # noqa: PLC0415 - who has no webhooks does without

    return httpx.create_ssl_context()
