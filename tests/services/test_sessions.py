import pytest

from app.services import Connection, sessions

USER = "0190f5c8-7a0e-7000-8000-000000000001"
HASH = "ab" * 32
_OURS = "SELECT 1"
_FOREIGN = """
DROP TABLE user_sessions;
CREATE TABLE user_sessions (
    id bigint, user_id uuid, token_hash char(64), expires_at timestamp, revoked boolean,
    created_at timestamp
)
"""
_INSERT = """
INSERT INTO user_sessions (user_id, token_hash, expires_at, revoked)
VALUES ('{user_id}', '{token_hash}', timezone('UTC', now()) + interval '{lifetime}', {revoked})
"""


@pytest.mark.parametrize("table", [_OURS, _FOREIGN], ids=["ours", "of an auth server"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
@pytest.mark.parametrize(
    ("lifetime", "revoked", "found"),
    [
        ("1 minute", False, True),
        ("-1 minute", False, False),
        ("1 minute", True, False),
        ("-1 minute", True, False),
    ],
)
async def test_only_a_session_that_is_neither_expired_nor_revoked_is_found(
    db: Connection, table: str, zone: str, lifetime: str, revoked: bool, found: bool
) -> None:
    await db.execute(table)
    await db.execute("SET LOCAL TimeZone TO 'UTC'")
    session = {"user_id": USER, "token_hash": HASH, "lifetime": lifetime, "revoked": revoked}
    await db.execute(_INSERT.format(**session))
    await db.execute(f"SET LOCAL TimeZone TO '{zone}'")
    assert await sessions.find_user(db, HASH) == (USER if found else None)


async def test_unknown_hash_is_nobodys(db: Connection) -> None:
    assert await sessions.find_user(db, HASH) is None
