import asyncio
from uuid import UUID, uuid4

import pytest

from app.errors import Locked, Taken
from app.models.account import Account
from app.services import Connection, accounts
from app.services.keys import digest

ADDRESS = "whiskers@example.com"


async def register(db: Connection, email: str = ADDRESS) -> Account:
    return await accounts.insert_account(db, email, "hash", "Whiskers")


async def fail(db: Connection, times: int = 1) -> list[bool]:
    return [await accounts.count_failure(db, ADDRESS) for _ in range(times)]


async def locked_for(db: Connection) -> int:
    login = await accounts.find_login(db, ADDRESS)
    assert login is not None
    return login.locked_for


async def let_the_lock_end(db: Connection) -> None:
    await db.execute("UPDATE accounts SET locked_until = now() - interval '1 second'")


async def test_new_account_is_found_by_its_address_in_any_case(db: Connection) -> None:
    account = await register(db)
    assert account.id.version == 7
    assert not account.is_active
    login = await accounts.find_login(db, "WHISKERS@Example.COM")
    assert login == accounts.Login(account, "hash", 0)
    assert await accounts.find_login(db, "nobody@example.com") is None


async def test_second_account_of_an_address_is_taken_in_any_case(db: Connection) -> None:
    await register(db)
    async with db.transaction():
        with pytest.raises(Taken, match=r"^Email already registered$") as taken:
            async with db.transaction():
                await register(db, "Whiskers@EXAMPLE.com")
    assert taken.value.status == 409


async def test_fifth_failure_locks_for_15_minutes(db: Connection) -> None:
    await register(db)
    assert await fail(db, 4) == [True] * 4
    assert await locked_for(db) == 0
    assert await fail(db) == [True]
    assert 890 < await locked_for(db) <= 900


async def test_locked_account_neither_counts_nor_admits(db: Connection) -> None:
    account = await register(db)
    await fail(db, 5)
    assert await fail(db) == [False]
    with pytest.raises(Locked) as locked:
        await accounts.admit(db, account.id, None)
    assert (locked.value.status, locked.value.headers) == (423, {"Retry-After": "900"})


async def test_five_more_failures_lock_again_after_the_lock_has_ended(db: Connection) -> None:
    await register(db)
    await fail(db, 5)
    await let_the_lock_end(db)
    assert await fail(db, 4) == [True] * 4
    assert await locked_for(db) == 0
    await fail(db)
    assert await locked_for(db) > 0


async def test_success_forgets_failures(db: Connection) -> None:
    account = await register(db)
    await fail(db, 4)
    await accounts.admit(db, account.id, None)
    await fail(db, 4)
    assert await locked_for(db) == 0


async def test_success_stores_the_upgraded_hash_if_there_is_one(db: Connection) -> None:
    account = await register(db)
    for upgraded, stored in ((None, "hash"), ("better", "better")):
        await accounts.admit(db, account.id, upgraded)
        login = await accounts.find_login(db, ADDRESS)
        assert login is not None
        assert login.password_hash == stored


async def test_failure_of_nobody_does_not_count(db: Connection) -> None:
    assert not await accounts.count_failure(db, "nobody@example.com")


async def test_failures_side_by_side_are_all_counted_and_lock_exactly_once(
    crowd: list[Connection],
) -> None:
    await register(crowd[0])
    counted = await asyncio.gather(*(fail(connection, 5) for connection in crowd))
    assert sum(map(sum, counted)) == 5
    assert await locked_for(crowd[0]) > 0


async def test_verification_makes_active_once(db: Connection) -> None:
    account = await register(db)
    assert await accounts.is_active(db, account.id) is False
    token = await accounts.insert_verification(db, account.id)
    assert token is not None
    verified = await accounts.verify_email(db, token)
    assert verified == account.model_copy(update={"is_active": True})
    assert await accounts.verify_email(db, token) is None
    assert await accounts.is_active(db, account.id)
    assert await accounts.is_active(db, uuid4()) is None


async def test_only_the_digest_of_a_verification_token_is_stored(db: Connection) -> None:
    account = await register(db)
    token = await accounts.insert_verification(db, account.id)
    assert token is not None
    assert len(token) >= 43
    row = await db.fetchrow("SELECT v::text AS text, token_hash FROM verification_tokens AS v")
    assert row is not None
    assert row["token_hash"] == digest(token)
    assert token not in row["text"]


async def test_unknown_and_expired_verification_tokens_verify_nothing(db: Connection) -> None:
    account = await register(db)
    token = await accounts.insert_verification(db, account.id)
    assert token is not None
    await db.execute("UPDATE verification_tokens SET expires_at = now()")
    for useless in (token, token + "x", ""):
        assert await accounts.verify_email(db, useless) is None
    assert not await accounts.is_active(db, account.id)


async def test_another_verification_token_is_made_after_an_hour(db: Connection) -> None:
    account = await register(db)
    await accounts.insert_verification(db, account.id)
    assert await accounts.insert_verification(db, account.id) is None
    await db.execute("UPDATE verification_tokens SET created_at = now() - interval '61 minutes'")
    assert await accounts.insert_verification(db, account.id) is not None
    await db.execute("UPDATE verification_tokens SET created_at = '2020-01-01', expires_at = now()")
    assert await accounts.insert_verification(db, account.id) is not None
    assert await db.fetchval("SELECT count(*) FROM verification_tokens") == 1


async def test_deleted_account_takes_its_tokens_along(db: Connection) -> None:
    account = await register(db)
    await accounts.insert_verification(db, account.id)
    await db.execute("DELETE FROM accounts WHERE id = $1", UUID(str(account.id)))
    assert await db.fetchval("SELECT count(*) FROM verification_tokens") == 0
