import pytest

from app.errors import SessionTableUnusable
from app.services import Connection, sessions

USER = "0190f5c8-7a0e-7000-8000-000000000001"
HASH = "ab" * 32
TOKEN = "GGmw3gvHh5t6g7t1xwN2vgvdhFtliein"
_HASHED = ("token_hash", "user_id", "expires_at", "revoked")
_PLAIN = ("token", "userId", "expiresAt", "false")

# Tables by who made them, with the columns in which they hold a session.
TABLES = {
    "ours": ("", _HASHED),
    "ours, written by Better Auth": ("", _PLAIN),
    "an auth server's, of other types": (
        "id bigint, user_id uuid, token_hash char(64), expires_at timestamp, revoked boolean",
        _HASHED,
    ),
    "of hashes, as document 001 spells them": (
        'user_id text, "tokenHash" text, "expiresAt" timestamptz, revoked boolean',
        ("tokenHash", "user_id", "expiresAt", "revoked"),
    ),
    "Better Auth's": (
        'id text, "userId" text, token text, "expiresAt" timestamp, "ipAddress" text',
        _PLAIN,
    ),
    "Better Auth's in snake case": (
        "id uuid, user_id uuid, token varchar, expires_at timestamptz",
        ("token", "user_id", "expires_at", "false"),
    ),
}
_CASES = [
    (*table, lifetime, revoked)
    for table in TABLES.values()
    for lifetime in ("1 minute", "-1 minute")
    for revoked in (False, True)
    if not revoked or "revoked" in table[1]
]


async def replace_table(db: Connection, columns: str) -> None:
    if columns:
        await db.execute(f"DROP TABLE user_sessions; CREATE TABLE user_sessions ({columns})")


async def find(db: Connection, value: str) -> str | None:
    table = await sessions.describe(db, "user_sessions", hashes=True)
    return await sessions.find_user(db, table, value, value)


@pytest.mark.parametrize(("columns", "names", "lifetime", "revoked"), _CASES)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
async def test_only_a_session_that_is_neither_expired_nor_revoked_is_found(
    db: Connection,
    columns: str,
    names: tuple[str, str, str, str],
    lifetime: str,
    revoked: bool,
    zone: str,
) -> None:
    await replace_table(db, columns)
    await db.execute("SET LOCAL TimeZone TO 'UTC'")
    key, user, end, flag = names
    value = TOKEN if key == "token" else HASH
    flags = ("", "") if flag == "false" else (", revoked", f", {revoked}")
    await db.execute(
        f'INSERT INTO user_sessions ("{key}", "{user}", "{end}"{flags[0]}) '
        f"VALUES ('{value}', '{USER}', timezone('UTC', now()) + interval '{lifetime}'{flags[1]})"
    )
    await db.execute(f"SET LOCAL TimeZone TO '{zone}'")
    is_valid = not revoked and not lifetime.startswith("-")
    assert await find(db, value) == (USER if is_valid else None)


@pytest.mark.parametrize(("columns", "_"), TABLES.values(), ids=TABLES)
async def test_an_unknown_token_is_nobodys(db: Connection, columns: str, _: object) -> None:
    await replace_table(db, columns)
    assert await find(db, HASH) is None


UNUSABLE = {
    "no token": "user_id text, expires_at timestamptz",
    "hashes alone, and no secret": "user_id text, token_hash text, expires_at timestamptz",
    "a number for a token": "user_id text, token bigint, expires_at timestamptz",
    "no user": "token text, expires_at timestamptz",
    "no end": "token text, user_id text",
    "a number for an end": "token text, user_id text, expires_at bigint",
    "a revocation that is none": "token text, user_id text, expires_at date, revoked timestamptz",
}


@pytest.mark.parametrize("columns", UNUSABLE.values(), ids=UNUSABLE)
async def test_a_table_without_what_it_takes_is_unusable(db: Connection, columns: str) -> None:
    await replace_table(db, columns)
    with pytest.raises(SessionTableUnusable) as error:
        await sessions.describe(db, "user_sessions", hashes=False)
    assert error.value.reason.startswith("it")


@pytest.mark.parametrize("name", ["missing", "missing.session", "User_Sessions"])
async def test_a_table_that_is_not_there_is_unusable(db: Connection, name: str) -> None:
    with pytest.raises(SessionTableUnusable, match="looked up"):
        await sessions.describe(db, name, hashes=True)


async def test_a_table_that_may_not_be_read_is_unusable(db: Connection) -> None:
    await db.execute("CREATE ROLE stranger; CREATE SCHEMA auth; CREATE TABLE auth.session (t int)")
    await db.execute("SET LOCAL ROLE stranger")
    for name in ("user_sessions", "auth.session"):
        with pytest.raises(SessionTableUnusable):
            async with db.transaction():
                await sessions.describe(db, name, hashes=True)


async def test_a_table_that_changed_is_unusable_until_it_is_described_anew(db: Connection) -> None:
    table = await sessions.describe(db, "user_sessions", hashes=True)
    await replace_table(db, TABLES["Better Auth's"][0])
    with pytest.raises(SessionTableUnusable):
        async with db.transaction():
            await sessions.find_user(db, table, HASH, TOKEN)
    assert await find(db, TOKEN) is None


async def test_a_table_is_found_in_its_schema_by_its_exact_name(db: Connection) -> None:
    columns = 'token text, "userId" text, "expiresAt" timestamptz'
    await db.execute(f'CREATE SCHEMA auth; CREATE TABLE auth."Session" ({columns})')
    await db.execute(f"INSERT INTO auth.\"Session\" VALUES ('{TOKEN}', 'ann', 'infinity')")
    table = await sessions.describe(db, "auth.Session", hashes=True)
    assert (table.shape, list(table.columns)) == ("better_auth", ["token", "userId", "expiresAt"])
    assert await sessions.find_user(db, table, None, TOKEN) == "ann"
