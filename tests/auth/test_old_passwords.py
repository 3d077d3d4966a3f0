"""Passwords that were stored as they were typed, before they were prepared."""

from unicodedata import normalize

import bcrypt
import pytest
from httpx import AsyncClient

from app.auth import passwords
from app.auth.passwords import _HASHER, Passwords
from app.services import Connection
from tests.support.accounts import log_in, register

COMPOSED = "Grüße-an-7"
DECOMPOSED = normalize("NFD", COMPOSED)
TYPED = f"{DECOMPOSED}\u00a0"


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What each hash was made of, to be compared or stored."""
    made: list[str] = []
    is_of = passwords._is_of

    def counted(password: str, stored: str) -> bool:
        made.append(password)
        return is_of(password, stored)

    monkeypatch.setattr(passwords, "_is_of", counted)
    return made


async def test_a_password_is_the_same_on_every_system() -> None:
    stored = await Passwords().hash(TYPED)
    for typed in (TYPED, f"{COMPOSED} ", f"{COMPOSED}\u3000"):
        assert await Passwords().verify(typed, stored)
        assert await Passwords().renew(typed, stored) is None
    assert not await Passwords().verify(COMPOSED, stored)


@pytest.mark.parametrize("typed", [TYPED, "Salmon\t7", "Salmon\u200b-7", DECOMPOSED])
async def test_hash_of_what_was_typed_still_works_and_is_renewed(typed: str) -> None:
    one = Passwords()
    for stored in (_HASHER.hash(typed), bcrypt.hashpw(typed.encode(), bcrypt.gensalt(4)).decode()):
        assert await one.verify(typed, stored)
        assert not await one.verify(f"{typed}x", stored)
    renewed = await one.renew(typed, stored)
    assert renewed is not None
    assert await one.verify(typed, renewed)
    assert await one.renew(typed, renewed) is None


async def test_second_hash_is_made_only_where_the_forms_differ(hashes: list[str]) -> None:
    one = Passwords()
    for password, times in (("Salmon-at-8", 1), (COMPOSED, 1), (DECOMPOSED, 2), ("x\t", 1)):
        for stored in (_HASHER.hash("Salmon-at-7"), None):
            hashes.clear()
            assert not await one.verify(password, stored)
            assert len(hashes) == times


async def test_account_that_exists_logs_in_as_before_and_then_from_any_system(
    client: AsyncClient, db: Connection
) -> None:
    assert (await register(client)).status_code == 201
    await db.execute("UPDATE accounts SET password_hash = $1", _HASHER.hash(DECOMPOSED))
    assert (await log_in(client, password=COMPOSED)).status_code == 401
    for typed in (DECOMPOSED, COMPOSED, DECOMPOSED):
        assert (await log_in(client, password=typed)).status_code == 200


async def test_registered_on_one_system_logs_in_on_another(client: AsyncClient) -> None:
    await register(client, password=TYPED)
    assert (await log_in(client, password=f"{COMPOSED} ")).status_code == 200
