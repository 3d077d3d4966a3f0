import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, cast

import asyncpg
import pytest
from asyncpg import Record

from app.errors import AlreadyExists, NotFound
from app.models.key import KeyRotation, MintedKey, NewKey, RotatedKey
from app.services import Connection, keys

PLAIN = "sk_prod_" + "ab" * 32
GRACE = timedelta(days=7)
FAR = datetime(2999, 1, 1, tzinfo=UTC)


def named(name: str = "cat-house", **fields: Any) -> NewKey:
    return NewKey(**{"key_name": name, "environment": "prod", **fields})


async def mint(db: Connection, name: str = "cat-house", **fields: Any) -> MintedKey:
    new = named(name, **fields)
    return await keys.insert_key(db, new, keys.generate(new.environment, None))


async def rotate(db: Connection, name: str = "cat-house", **fields: Any) -> RotatedKey:
    return await keys.rotate_key(db, KeyRotation(key_name=name, **fields))


async def row_of(db: Connection, value: str) -> Record:
    row = await db.fetchrow(
        "SELECT * FROM service_api_keys WHERE api_key = $1", sha256(value.encode()).hexdigest()
    )
    assert row is not None
    return row


async def works(db: Connection, value: str) -> bool:
    return await keys.find_key(db, keys.digest(value)) is not None


async def now(db: Connection) -> datetime:
    moment: datetime = await db.fetchval("SELECT now()")
    return moment


@pytest.mark.parametrize("environment", ["prod", "dev"])
@pytest.mark.parametrize("secret", [None, "a secret of the deployment"])
def test_generated_values_differ_and_carry_64_hex_digits(
    environment: Any, secret: str | None
) -> None:
    values = {keys.generate(environment, secret) for _ in range(100)}
    assert len(values) == 100
    prefix = f"sk_{environment}_"
    assert all(value.startswith(prefix) and len(value) == len(prefix) + 64 for value in values)
    assert all(int(value.removeprefix(prefix), 16) for value in values)


async def test_only_the_digest_of_a_key_is_stored(db: Connection) -> None:
    minted = await mint(db)
    row = await row_of(db, minted.service_key)
    assert (row["id"], row["environment"]) == (minted.id, "prod")
    assert row["last_four"] == minted.service_key[-4:]
    assert minted.service_key not in repr(dict(row))


async def test_taken_name_is_refused(db: Connection) -> None:
    await mint(db)
    with pytest.raises(AlreadyExists, match=r"^Key name already exists$"):
        async with db.transaction():
            await mint(db)


async def test_plain_value_inserted_by_hand_is_sealed(db: Connection) -> None:
    await db.execute(
        "INSERT INTO service_api_keys (key_name, api_key) VALUES ('by-hand', $1)", PLAIN
    )
    row = await row_of(db, PLAIN)
    assert (row["environment"], row["last_four"]) == ("prod", PLAIN[-4:])
    assert PLAIN not in repr(dict(row))
    assert await works(db, PLAIN)


async def test_plain_value_written_over_a_key_is_sealed(db: Connection) -> None:
    minted = await mint(db, environment="dev")
    await db.execute("UPDATE service_api_keys SET api_key = $2 WHERE id = $1", minted.id, PLAIN)
    row = await row_of(db, PLAIN)
    assert (row["environment"], row["last_four"]) == ("prod", PLAIN[-4:])
    assert not await works(db, minted.service_key)


async def test_caller_carries_name_scopes_and_ownership(db: Connection) -> None:
    minted = await mint(db, scopes=["tasks:read", "get-stats"], enforce_ownership=True)
    found = await keys.find_key(db, keys.digest(minted.service_key))
    assert found is not None
    caller = found.caller
    assert (caller.kind, caller.name, caller.enforce_ownership) == ("service", "cat-house", True)
    assert caller.scopes == frozenset({"tasks:read", "get-stats"})


async def test_unknown_key_and_the_digest_itself_find_nobody(db: Connection) -> None:
    minted = await mint(db)
    assert not await works(db, PLAIN)
    assert not await works(db, keys.digest(minted.service_key))


@pytest.mark.parametrize("change", ["active = false", "expires_at = now()"])
async def test_inactive_or_expired_key_finds_nobody(db: Connection, change: str) -> None:
    minted = await mint(db, expires_at=FAR)
    assert await works(db, minted.service_key)
    await db.execute(f"UPDATE service_api_keys SET {change} WHERE id = $1", minted.id)
    assert not await works(db, minted.service_key)


async def test_last_use_is_noted_once_a_minute(db: Connection) -> None:
    minted = await mint(db)

    async def last_used_after(change: str) -> datetime | None:
        await db.execute(f"UPDATE service_api_keys SET last_used_at = {change}")
        assert await works(db, minted.service_key)
        moment: datetime | None = (await row_of(db, minted.service_key))["last_used_at"]
        return moment

    present, recently = await now(db), timedelta(seconds=30)
    assert await last_used_after("NULL") == present
    assert await last_used_after("now() - interval '1 hour'") == present
    assert await last_used_after("now() - interval '30 seconds'") == present - recently


async def test_use_of_a_revoked_key_is_not_noted(db: Connection) -> None:
    minted = await mint(db)
    await keys.revoke_key(db, minted.id)
    await works(db, minted.service_key)
    assert (await row_of(db, minted.service_key))["last_used_at"] is None


async def test_successor_inherits_everything(db: Connection) -> None:
    old = await mint(
        db, environment="dev", scopes=["tasks:read"], enforce_ownership=True, expires_at=FAR
    )
    rotated = await rotate(db)
    before, after = await row_of(db, old.service_key), await row_of(db, rotated.new_key)
    for column in ("key_name", "environment", "scopes", "enforce_ownership", "active"):
        assert after[column] == before[column]
    assert (after["expires_at"], after["superseded_at"]) == (FAR, None)
    assert rotated.new_key.startswith("sk_dev_")
    assert await works(db, old.service_key)
    assert await works(db, rotated.new_key)


@pytest.mark.parametrize("lifetime", [None, timedelta(days=2), timedelta(days=365)])
async def test_old_key_ends_after_seven_days_or_at_its_own_expiry(
    db: Connection, lifetime: timedelta | None
) -> None:
    present = await now(db)
    own = None if lifetime is None else present + lifetime
    old = await mint(db, expires_at=own)
    rotated = await rotate(db)
    expected = min(present + GRACE, own or FAR)
    assert rotated.old_key_expires_at == expected
    assert (await row_of(db, old.service_key))["expires_at"] == expected
    assert (await row_of(db, rotated.new_key))["expires_at"] == own


async def test_keys_of_an_earlier_rotation_keep_their_expiry(db: Connection) -> None:
    first = await mint(db)
    second = (await rotate(db)).new_key
    soon = await now(db) + timedelta(days=1)
    await db.execute("UPDATE service_api_keys SET expires_at = $2 WHERE id = $1", first.id, soon)
    await rotate(db)
    assert (await row_of(db, first.service_key))["expires_at"] == soon
    assert (await row_of(db, second))["expires_at"] == await now(db) + GRACE


@pytest.mark.parametrize("change", ["active = false", "expires_at = now() - interval '1 s'"])
async def test_name_without_a_working_key_cannot_be_rotated(db: Connection, change: str) -> None:
    await mint(db)
    await rotate(db)
    await db.execute(f"UPDATE service_api_keys SET {change}")
    with pytest.raises(NotFound):
        await rotate(db)
    assert await db.fetchval("SELECT count(*) FROM service_api_keys") == 2


async def test_unknown_name_cannot_be_rotated(db: Connection) -> None:
    with pytest.raises(NotFound):
        await rotate(db, "nobody")


async def test_list_shows_every_key_and_never_a_value(db: Connection) -> None:
    old = await mint(db)
    await rotate(db)
    revoked = await mint(db, "revoked")
    await keys.revoke_key(db, revoked.id)
    listed = await keys.list_keys(db)
    assert {(key.key_name, key.active) for key in listed} == {
        ("cat-house", True),
        ("revoked", False),
    }
    assert len(listed) == 3
    shown = repr([key.model_dump() for key in listed])
    assert old.service_key not in shown
    assert keys.digest(old.service_key) not in shown


async def test_revoked_key_finds_nobody_and_unknown_id_is_not_found(db: Connection) -> None:
    minted = await mint(db)
    assert await keys.revoke_key(db, minted.id) == "cat-house"
    assert not await works(db, minted.service_key)
    await db.execute("DELETE FROM service_api_keys")
    with pytest.raises(NotFound):
        await keys.revoke_key(db, minted.id)


async def test_development_key_is_created_once_and_never_resurrected(db: Connection) -> None:
    for _ in range(2):
        await keys.ensure_development_key(db)
    assert await works(db, keys.DEVELOPMENT_KEY)
    row = await row_of(db, keys.DEVELOPMENT_KEY)
    await keys.revoke_key(db, row["id"])
    await keys.ensure_development_key(db)
    assert not await works(db, keys.DEVELOPMENT_KEY)
    assert await db.fetchval("SELECT count(*) FROM service_api_keys") == 1


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(database_url, min_size=10, max_size=25) as pool:
        yield pool


async def in_transaction(pool: Any, use: Any, *arguments: Any) -> Any:
    async with pool.acquire() as lent, lent.transaction():
        awaitable: Awaitable[Any] = use(cast(Connection, lent), *arguments)
        return await awaitable


async def test_ten_concurrent_rotations_all_succeed_in_turn(pool: Any) -> None:
    minted = await in_transaction(pool, mint)
    rotations = [in_transaction(pool, rotate) for _ in range(10)]
    values = [rotated.new_key for rotated in await asyncio.gather(*rotations)]
    assert len(set(values)) == 10
    for value in (minted.service_key, *values):
        assert await in_transaction(pool, works, value)
    current = await pool.fetch("SELECT 1 FROM service_api_keys WHERE superseded_at IS NULL")
    assert len(current) == 1


async def test_one_of_fifty_concurrent_creations_wins(pool: Any) -> None:
    creations = [in_transaction(pool, mint) for _ in range(50)]
    results = await asyncio.gather(*creations, return_exceptions=True)
    assert sum(isinstance(result, MintedKey) for result in results) == 1
    assert sum(isinstance(result, AlreadyExists) for result in results) == 49
    assert await pool.fetchval("SELECT count(*) FROM service_api_keys") == 1
