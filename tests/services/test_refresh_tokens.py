import asyncio

from app.models.account import Account
from app.services import Connection, accounts, refresh_tokens
from app.services.keys import digest


async def register(db: Connection) -> Account:
    return await accounts.insert_account(db, "whiskers@example.com", "hash", "Whiskers")


async def log_in(db: Connection) -> str:
    return await refresh_tokens.insert_family(db, (await register(db)).id)


async def works(db: Connection, token: str) -> bool:
    return await refresh_tokens.rotate(db, token) is not None


async def successor_of(db: Connection, token: str) -> str:
    rotated = await refresh_tokens.rotate(db, token)
    assert rotated is not None
    return rotated[1]


async def test_token_is_exchanged_for_its_successor(db: Connection) -> None:
    account = await register(db)
    token = await refresh_tokens.insert_family(db, account.id)
    for _ in range(3):
        rotated = await refresh_tokens.rotate(db, token)
        assert rotated is not None
        assert rotated[0] == account
        assert rotated[1] != token
        token = rotated[1]


async def test_only_the_digest_of_the_latest_token_is_stored(db: Connection) -> None:
    token = await successor_of(db, await log_in(db))
    [row] = await db.fetch("SELECT r::text AS text, token_hash FROM refresh_tokens AS r")
    assert row["token_hash"] == digest(token)
    assert token[32:] not in row["text"]


async def test_token_used_again_ends_its_family(db: Connection) -> None:
    first = await log_in(db)
    second = await successor_of(db, first)
    third = await successor_of(db, second)
    assert not await works(db, first)
    assert not await works(db, third)


async def test_token_used_again_leaves_other_families_alone(db: Connection) -> None:
    account = await register(db)
    here = await refresh_tokens.insert_family(db, account.id)
    there = await refresh_tokens.insert_family(db, account.id)
    await successor_of(db, here)
    assert not await works(db, here)
    assert await works(db, there)


async def test_token_works_for_7_days_from_its_own_making(db: Connection) -> None:
    token = await log_in(db)
    left = "SELECT expires_at - now() > interval '167 hours' FROM refresh_tokens"
    assert await db.fetchval(left)
    await db.execute("UPDATE refresh_tokens SET expires_at = now() + interval '1 minute'")
    token = await successor_of(db, token)
    assert await db.fetchval(left)
    await db.execute("UPDATE refresh_tokens SET expires_at = now()")
    assert not await works(db, token)


async def test_what_is_no_token_is_refused(db: Connection) -> None:
    token = await log_in(db)
    for wrong in ("", "x" * 96, "0" * 96, token[:-1], token.upper(), f"{token} ", "é" * 96):
        assert not await works(db, wrong)
    assert await works(db, token)


async def test_next_login_forgets_expired_families(db: Connection) -> None:
    account = await register(db)
    await refresh_tokens.insert_family(db, account.id)
    await db.execute("UPDATE refresh_tokens SET expires_at = now()")
    await refresh_tokens.insert_family(db, account.id)
    assert await db.fetchval("SELECT count(*) FROM refresh_tokens") == 1


async def test_of_exchanges_side_by_side_one_wins_and_the_family_ends(
    crowd: list[Connection],
) -> None:
    token = await log_in(crowd[0])
    exchanged = await asyncio.gather(
        *(refresh_tokens.rotate(connection, token) for connection in crowd)
    )
    [(_, successor)] = [rotated for rotated in exchanged if rotated is not None]
    assert not await works(crowd[0], successor)


async def test_reuse_ends_the_family_while_its_latest_token_is_being_exchanged(
    crowd: list[Connection],
) -> None:
    one, other, *_ = crowd
    first = await log_in(one)
    second = await successor_of(one, first)
    async with one.transaction():
        third = await successor_of(one, second)
        reuse = asyncio.create_task(works(other, first))
        await asyncio.sleep(0.1)
        assert not reuse.done()
    assert not await reuse
    assert not await works(one, third)
