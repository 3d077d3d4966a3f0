"""Where webhooks lead, as an attacker would have it."""

import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import httpcore
import pytest

from app.services.webhooks import Target
from app.worker.addresses import (
    Addresses,
    CheckedConnections,
    ForbiddenAddress,
    is_public,
    unwrapped,
)
from app.worker.sender import Message, Sender, new_secret
from tests.conftest import MISSING_ID
from tests.support.receiver import CIPHER, open_sender, receiving

PRIVATE = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254"),  # noqa: S104
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1"),
    *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1"),
    *("2001:db8::1", "2001:10::1", "2001:20::1", "2002:7f00:1::", "2002:a00:1::1", "3fff::1"),
    *("5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1"),
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::200e"]
PUBLIC += ["64:ff9b::808:808", "::ffff:8.8.8.8"]
SPELLINGS = ["2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1", "localhost"]

Resolve = Callable[..., None]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Has every name lead to these addresses: one list for each look-up, the last for the rest."""

    def resolve(*answers: list[str]) -> None:
        left = list(answers)

        def look_up(_host: str, port: int, **_: Any) -> list[Any]:
            found = left.pop(0) if len(left) > 1 else left[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return resolve


@pytest.mark.parametrize("text", PRIVATE)
def test_what_is_private_or_special_is_refused(text: str) -> None:
    assert not is_public(unwrapped(ip_address(text)))


@pytest.mark.parametrize("text", PUBLIC)
def test_what_anybody_may_reach_is_not(text: str) -> None:
    assert is_public(unwrapped(ip_address(text)))


@pytest.mark.parametrize("host", SPELLINGS)
async def test_other_spellings_of_an_address_are_refused(host: str) -> None:
    with pytest.raises(ForbiddenAddress, match=r"127\.0\.0\.1|::1"):
        await Addresses().find(host, 443)


async def test_a_name_is_refused_when_any_of_its_addresses_is(resolve: Resolve) -> None:
    resolve(["93.184.215.14", "10.0.0.1"])
    with pytest.raises(ForbiddenAddress, match=r"10\.0\.0\.1"):
        await Addresses().find("example.com", 443)


async def test_what_is_connected_to_is_what_was_checked(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = CheckedConnections(Addresses())
    connected: list[str] = []

    async def connect(host: str, *_: Any, **__: Any) -> None:
        connected.append(host)

    monkeypatch.setattr(connections._network, "connect_tcp", connect)
    resolve(["93.184.215.14"], ["127.0.0.1"])
    await connections.connect_tcp("rebinding.example.com", 443)
    assert connected == ["93.184.215.14"]
    with pytest.raises(ForbiddenAddress):
        await connections.connect_tcp("rebinding.example.com", 443)
    assert connected == ["93.184.215.14"]


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = CheckedConnections(Addresses())
    tried: list[tuple[str, float | None]] = []

    async def connect(host: str, _: int, timeout: float | None, **__: Any) -> None:
        tried.append((host, timeout))
        if timeout is not None:
            raise httpcore.ConnectTimeout

    monkeypatch.setattr(connections._network, "connect_tcp", connect)
    resolve(["2606:4700::1111", "1.1.1.1", "8.8.8.8", "93.184.215.14"])
    await connections.connect_tcp("example.com", port=443, timeout=None)
    assert tried == [("2606:4700::1111", 3.0), ("1.1.1.1", 3.0), ("8.8.8.8", None)]


async def test_ones_own_networks_are_allowed_and_no_others() -> None:
    addresses = Addresses("10.0.0.0/8, 127.0.0.0/8")
    assert await addresses.find("127.0.0.1", 80) == ["127.0.0.1"]
    assert await addresses.find("::ffff:10.1.2.3", 80) == ["::ffff:10.1.2.3"]
    with pytest.raises(ForbiddenAddress):
        await addresses.find("192.168.0.1", 80)


async def send(sender: Sender, url: str) -> str | None:
    secret = CIPHER.encrypt(new_secret())
    answer = await sender.send(Target(MISSING_ID, url, (secret,)), Message("msg_1", b"{}"))
    await sender.close()
    return answer.error


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "localhost"])
async def test_an_endpoint_that_leads_home_by_now_is_told_nothing(host: str) -> None:
    async with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", host)
        error = await send(open_sender(allowed=None), url)
        assert error is not None
        assert "is no public address" in error
        assert receiver.connections == 0


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/hook"))
        assert await send(open_sender(), receiver.url) is None
        assert (proxy.connections, len(receiver.received)) == (0, 1)


async def test_outside_development_nothing_is_sent_in_plain_text() -> None:
    async with receiving() as receiver:
        sender = Sender(CIPHER, Addresses("127.0.0.0/8"), plain=False)
        assert await send(sender, receiver.url) == "is not https"
        assert receiver.connections == 0
