import asyncio
from statistics import median
from time import perf_counter

import bcrypt
import pytest
from argon2 import PasswordHasher

from app.auth import passwords
from app.auth.passwords import Passwords, is_outdated
from app.errors import Busy
from tests.conftest import Figure

PASSWORD = "Salmon-at-7"
ROUNDS = 4  # the least that bcrypt takes, so that the tests are quick


def bcrypt_hash(password: bytes, prefix: bytes = b"2b") -> str:
    """As a library of ten years ago stored it."""
    return (
        bcrypt.hashpw(password[:72], bcrypt.gensalt(ROUNDS, b"2b"))
        .replace(b"2b", prefix, 1)
        .decode()
    )


async def test_hash_is_argon2id_with_the_figures_of_owasp() -> None:
    stored = await Passwords().hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not is_outdated(stored)
    assert PASSWORD not in stored
    assert await Passwords().hash(PASSWORD) != stored


async def test_only_the_right_password_matches() -> None:
    one = Passwords()
    stored = await one.hash("Grüße-7 🐈")
    assert await one.verify("Grüße-7 🐈", stored)
    for wrong in ("", "Grüße-7 ", "grüße-7 🐈", "Grüße-7 🐈 ", "Grüße-7 🐈\x00", "x" * 1024):
        assert not await one.verify(wrong, stored)


@pytest.mark.parametrize("prefix", [b"2a", b"2b", b"2y"])
async def test_bcrypt_hash_of_an_older_table_matches_and_is_outdated(prefix: bytes) -> None:
    stored = bcrypt_hash(PASSWORD.encode(), prefix)
    assert is_outdated(stored)
    assert await Passwords().verify(PASSWORD, stored)
    assert not await Passwords().verify("Salmon-at-8", stored)


@pytest.mark.parametrize("password", ["x" * 73, "x" * 200, "x" + "ü" * 50])
async def test_bcrypt_sees_the_first_72_bytes(password: str) -> None:
    stored = bcrypt_hash(password.encode())
    assert await Passwords().verify(password, stored)
    assert await Passwords().verify(password + "more", stored)
    assert not await Passwords().verify("y" + password[1:], stored)


@pytest.mark.parametrize(
    "stored",
    ["", "!", PASSWORD, "$2b$", "$2b$99$" + "a" * 53, "$argon2id$v=19$m=1,t=1,p=1$a$b", "$1$a$b"],
)
async def test_what_is_no_hash_matches_nothing(stored: str) -> None:
    assert not await Passwords().verify(PASSWORD, stored)
    assert not await Passwords().verify("", stored)


def test_weaker_argon2_is_outdated() -> None:
    weaker = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    assert is_outdated(weaker)


@pytest.mark.alone
async def test_nobodys_hash_costs_what_a_real_one_costs_and_matches_nothing(
    figure: Figure,
) -> None:
    assert not is_outdated(passwords._NOBODYS_HASH)
    one = Passwords()
    stored = await one.hash(PASSWORD)
    seconds: dict[str | None, list[float]] = {stored: [], None: []}
    for _ in range(15):
        for hashed, taken in seconds.items():
            started = perf_counter()
            assert await one.verify(PASSWORD, hashed) is (hashed is not None)
            taken.append(perf_counter() - started)
    known, unknown = median(seconds[stored]), median(seconds[None])
    figure(f"known {known * 1000:.1f} ms, unknown {unknown * 1000:.1f} ms")
    assert 0.5 < unknown / known < 2


@pytest.mark.alone
async def test_the_event_loop_runs_while_passwords_are_hashed() -> None:
    one = Passwords()
    hashing = asyncio.gather(*(one.hash(PASSWORD) for _ in range(10)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 20


async def test_who_would_wait_too_long_is_told_busy_and_the_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "_TIMEOUT", 0.1)
    one = Passwords()
    results = await asyncio.gather(*(one.hash(PASSWORD) for _ in range(40)), return_exceptions=True)
    kinds = {type(result) for result in results}
    assert kinds == {str, Busy}
    assert await one.verify(PASSWORD, await one.hash(PASSWORD))


async def test_who_gives_up_leaves_the_turn_to_others() -> None:
    one = Passwords()
    impatient = [asyncio.create_task(one.hash(PASSWORD)) for _ in range(5)]
    await asyncio.sleep(0.005)
    for task in impatient:
        task.cancel()
    await asyncio.gather(*impatient, return_exceptions=True)
    assert await one.verify(PASSWORD, await one.hash(PASSWORD))
