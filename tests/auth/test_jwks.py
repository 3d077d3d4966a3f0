"""A set of public keys: fetched once, anew when it has to be, and how its server may fail."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.auth import jwks
from app.auth.jwks import KeySet
from app.errors import TokenKeysUnavailable
from tests.support.key_server import ALGORITHMS, KEYS, KeyServer, public_jwk
from tests.support.log_lines import lines_of
from tests.support.provider import ANSWERS, HANG

FAULTS = [name for name in ANSWERS if name != "accept"]


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    async with KeyServer() as server:
        yield server


@pytest.fixture
async def keys(server: KeyServer) -> AsyncIterator[KeySet]:
    keys = KeySet(f"{server.url}/api/auth/jwks")
    yield keys
    await keys.close()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that passes for the set, to be changed."""
    now = [1000.0]
    monkeypatch.setattr(jwks, "monotonic", lambda: now[0])
    return now


async def test_whoever_waits_shares_one_fetch(server: KeyServer, keys: KeySet) -> None:
    found = await asyncio.gather(*(keys.find(name) for name in ALGORITHMS * 10))
    assert [key and key.key_id for key in found] == ALGORITHMS * 10
    assert len(server.requests) == 1


async def test_who_gives_up_waiting_takes_nobody_along(server: KeyServer, keys: KeySet) -> None:
    impatient = asyncio.create_task(keys.find("EdDSA"))
    patient = asyncio.create_task(keys.find("EdDSA"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient is not None
    assert len(server.requests) == 1


async def test_an_unknown_key_is_fetched_at_once_and_then_every_30_seconds(
    server: KeyServer, keys: KeySet, now: list[float]
) -> None:
    await keys.find("EdDSA")
    server.keys.append(public_jwk("EdDSA", "new", 1))
    found = await asyncio.gather(*(keys.find("new") for _ in range(10)))
    assert all(found)
    assert len(server.requests) == 2
    server.keys.append(public_jwk("EdDSA", "newer", 2))
    assert await keys.find("newer") is None
    now[0] += 31
    assert await keys.find("newer") is not None
    assert len(server.requests) == 3


async def test_made_up_ids_cost_nothing(
    server: KeyServer, keys: KeySet, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "_MOST_UNKNOWN", 2)
    await keys.find("EdDSA")
    await asyncio.gather(*(keys.find(f"made up {number}") for number in range(500)))
    assert len(server.requests) == 2
    for _ in range(10):
        now[0] += 31
        assert await keys.find("made up 0") is None
    assert len(server.requests) == 2
    for number in range(10):
        now[0] += 31
        await keys.find(f"another {number}")
    assert len(keys._unknown) == 2


async def test_withdrawn_keys_end_and_unknown_ones_are_asked_for_again(
    server: KeyServer, keys: KeySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "_REFRESH_INTERVAL", 0.05)
    key, kept = await keys.find("EdDSA"), await keys.find("ES256")
    assert key is not None
    assert kept is not None
    await keys.find("new")
    server.keys = [public_jwk("ES256"), public_jwk("EdDSA", "new", 1)]
    async with asyncio.timeout(5):
        while await keys.find("EdDSA") is not None:
            await asyncio.sleep(0.01)
    assert not keys.holds(key)
    assert keys.holds(kept)
    assert await keys.find("new") is not None


async def test_a_key_that_was_replaced_under_its_id_is_another(
    server: KeyServer, keys: KeySet
) -> None:
    key = await keys.find("EdDSA")
    assert key is not None
    server.keys = [public_jwk("EdDSA", number=1)]
    assert await keys.find("made up") is None
    assert not keys.holds(key)


UNUSABLE: list[Any] = [
    *(None, 7, "key", [], {}, {"kid": "x"}, {"kid": "x", "kty": ["RSA"]}),
    {"kid": "x", "kty": "OKP", "crv": "X25519", "x": "AAAA", "alg": "ECDH-ES"},
    {"kid": "x", "kty": "OKP", "crv": {}, "x": "AAAA"},
    {"kid": "x", "kty": "OKP", "crv": "Ed25519", "x": 7},
    {"kid": "x", "kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
    {"kid": "x", "kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
    {"kid": "x", "kty": "RSA", "n": "AQ", "e": "AQAB"},
    {"kid": "x", "kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
    public_jwk("ES256", "x", alg="ECDH-ES"),
    public_jwk("ES256", "x", alg=["ES256"]),
    public_jwk("ES256", "x", use="enc"),
    {**public_jwk("ES256"), "kid": 7},
]


@pytest.mark.parametrize("number", range(len(UNUSABLE)))
async def test_what_verifies_no_signature_is_passed_over(
    server: KeyServer, keys: KeySet, number: int
) -> None:
    server.keys = [UNUSABLE[number], public_jwk("EdDSA")]
    assert await keys.find("EdDSA") is not None
    assert await keys.find("x") is None


@pytest.mark.parametrize("fault", FAULTS)
async def test_without_any_keys_nobody_can_tell(
    server: KeyServer, keys: KeySet, now: list[float], fault: str
) -> None:
    server.behaviour = fault
    for _ in range(5):
        with pytest.raises(TokenKeysUnavailable) as error:
            await keys.find("EdDSA")
    assert error.value.headers["Retry-After"] == "1"
    assert len(server.requests) == 1
    server.behaviour = KEYS
    now[0] += 1
    assert await keys.find("EdDSA") is not None


@pytest.mark.parametrize("fault", FAULTS)
async def test_known_keys_keep_working(server: KeyServer, keys: KeySet, fault: str) -> None:
    key = await keys.find("EdDSA")
    assert key is not None
    server.behaviour = fault
    assert await keys.find("made up") is None
    assert await keys.find("EdDSA") is key


async def test_a_server_that_hangs_is_given_up(
    server: KeyServer, keys: KeySet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "_PATIENCE", 0.2)
    server.behaviour = HANG
    async with asyncio.timeout(5):
        with pytest.raises(TokenKeysUnavailable):
            await keys.find("EdDSA")


async def test_a_server_that_is_not_there_is_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "_TRYING_INTERVAL", 0)
    lines = lines_of(jwks, monkeypatch)
    async with KeyServer() as server:
        url = f"{server.url}/jwks"
    keys = KeySet(url)
    for _ in range(3):
        with pytest.raises(TokenKeysUnavailable):
            await keys.find("EdDSA")
    await keys.close()
    assert [line["event"] for line in lines] == ["token_keys_away"]
