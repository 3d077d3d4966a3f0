"""When a name is free, how long a rotated key works, and in which word a key's state is told."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.errors import AlreadyExists, NotFound
from app.models.key import MintedKey
from app.services import Connection, keys
from tests.services.test_keys import FAR, in_transaction, mint, now, pool, rotate, row_of, works

__all__ = ["pool"]
END = {
    "revoked": "UPDATE service_api_keys SET active = false",
    "expired": "UPDATE service_api_keys SET expires_at = now() - interval '1 second'",
}


async def states(db: Connection) -> dict[str, str]:
    return {info.key_name: info.state for info in await keys.list_keys(db)}


@pytest.mark.parametrize("end", END.values(), ids=END)
@pytest.mark.parametrize("rotations", [0, 2])
async def test_name_all_of_whose_keys_have_ended_is_free_again(
    db: Connection, end: str, rotations: int
) -> None:
    ended = await mint(db)
    for _ in range(rotations):
        await rotate(db)
    await db.execute(end)
    with pytest.raises(NotFound):
        await rotate(db)
    fresh = await mint(db, scopes=["tasks:read"])
    assert await works(db, fresh.service_key)
    assert not await works(db, ended.service_key)
    assert (await row_of(db, (await rotate(db)).new_key))["scopes"] == ["tasks:read"]


@pytest.mark.parametrize("end", END.values(), ids=END)
async def test_name_is_taken_while_a_key_of_an_earlier_rotation_works(
    db: Connection, end: str
) -> None:
    old = await mint(db)
    await rotate(db)
    await db.execute(f"{end} WHERE id <> $1", old.id)
    with pytest.raises(AlreadyExists):
        await mint(db)
    await db.execute("DELETE FROM service_api_keys WHERE id <> $1", old.id)
    with pytest.raises(AlreadyExists):
        await mint(db)
    assert await works(db, old.service_key)


async def test_of_fifty_creations_of_a_freed_name_one_wins(pool: Any) -> None:
    minted = await in_transaction(pool, mint)
    await pool.execute(END["revoked"])
    creations = [in_transaction(pool, mint) for _ in range(50)]
    results = await asyncio.gather(*creations, return_exceptions=True)
    [winner] = [result for result in results if isinstance(result, MintedKey)]
    assert sum(isinstance(result, AlreadyExists) for result in results) == 49
    assert await in_transaction(pool, works, winner.service_key)
    assert not await in_transaction(pool, works, minted.service_key)


async def test_development_key_is_not_resurrected_under_a_name_minted_anew(db: Connection) -> None:
    await keys.ensure_development_key(db)
    await db.execute(END["revoked"])
    fresh = await mint(db, keys.DEVELOPMENT_KEY_NAME)
    await keys.ensure_development_key(db)
    assert await works(db, fresh.service_key)
    assert not await works(db, keys.DEVELOPMENT_KEY)


@pytest.mark.parametrize("seconds", [0, 3600, 604800])
async def test_old_key_works_through_the_grace_it_is_given(db: Connection, seconds: int) -> None:
    old = await mint(db)
    rotated = await rotate(db, grace_seconds=seconds)
    assert rotated.old_key_expires_at == await now(db) + timedelta(seconds=seconds)
    assert await works(db, old.service_key) is (seconds > 0)
    assert await works(db, rotated.new_key)


async def test_grace_never_prolongs_an_old_key(db: Connection) -> None:
    soon = await now(db) + timedelta(minutes=1)
    await mint(db, expires_at=soon)
    assert (await rotate(db, grace_seconds=3600)).old_key_expires_at == soon


async def test_successor_ends_when_it_is_told_to(db: Connection) -> None:
    await mint(db, expires_at=FAR)
    later = await now(db) + timedelta(days=90)
    told = (await rotate(db, expires_at=later)).new_key
    assert (await row_of(db, told))["expires_at"] == later
    inherited = (await rotate(db)).new_key
    assert (await row_of(db, inherited))["expires_at"] == later


async def test_successor_of_a_key_that_expired_before_the_one_it_replaced_works(
    db: Connection,
) -> None:
    old = await mint(db)
    short = (await rotate(db, expires_at=await now(db) + timedelta(hours=1))).new_key
    await db.execute(
        "UPDATE service_api_keys SET expires_at = now() WHERE api_key = $1", keys.digest(short)
    )
    assert await works(db, old.service_key)
    successor = (await rotate(db)).new_key
    assert await works(db, successor)
    left = (await row_of(db, old.service_key))["expires_at"]
    assert (await row_of(db, successor))["expires_at"] == left


async def test_state_of_a_key_is_one_word(db: Connection) -> None:
    for name in ("active", "expiring", "expired", "revoked", "revoked-and-expired"):
        await mint(db, name)
    for name, change in {
        "active": "expires_at = now() + interval '7 days 1 minute'",
        "expiring": "expires_at = now() + interval '7 days'",
        "expired": "expires_at = now()",
        "revoked": "active = false",
        "revoked-and-expired": "active = false, expires_at = now()",
    }.items():
        await db.execute(f"UPDATE service_api_keys SET {change} WHERE key_name = $1", name)
    assert await states(db) == {
        "active": "active",
        "expiring": "expiring",
        "expired": "expired",
        "revoked": "revoked",
        "revoked-and-expired": "revoked",
    }


async def test_rotated_key_is_superseded_until_it_has_expired(db: Connection) -> None:
    await mint(db)
    await rotate(db)
    assert [info.state for info in await keys.list_keys(db)].count("superseded") == 1
    await db.execute("UPDATE service_api_keys SET expires_at = now() WHERE expires_at IS NOT NULL")
    assert sorted(info.state for info in await keys.list_keys(db)) == ["active", "expired"]
