"""What waits for one endpoint in great numbers takes nothing from the others."""

import json
from uuid import UUID

import pytest

from app.services import Connection, webhook_deliveries
from tests.support.receiver import TASKS, add_endpoint

_URL = "http://127.0.0.1:9/hook"
_CROWD = """
INSERT INTO webhook_deliveries (endpoint_id, position, user_id, type, occurred_at, due_at)
SELECT $1, n, $2::text, 'task.created', now(), now() - interval '1 hour' + n * interval '1 ms'
FROM generate_series(1, $3::int) AS n
"""


async def claim(db: Connection) -> list[tuple[UUID, str]]:
    async with db.transaction():
        _, claimed = await webhook_deliveries.claim(db, {}, 100)
    return [(one.endpoint_id, one.user_id) for one in claimed]


async def test_who_comes_after_a_crowd_of_somebody_busy_is_claimed_without_looking_at_each(
    db: Connection,
) -> None:
    endpoint, _ = await add_endpoint(db, _URL, TASKS)
    await db.execute(_CROWD, endpoint.id, "crowd", 5000)
    await db.execute("ANALYZE webhook_deliveries")
    assert await claim(db) == [(endpoint.id, "crowd")] * 5
    await db.execute(_CROWD.replace("1 hour", "1 minute"), endpoint.id, "ann", 1)
    async with db.transaction():
        statement = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {webhook_deliveries._CLAIM}"
        [plan] = json.loads(await db.fetchval(statement, [endpoint.id], [100]))
    assert plan["Plan"]["Shared Hit Blocks"] < 1000
    assert await claim(db) == []
    busy = await db.fetch("SELECT user_id FROM webhook_deliveries WHERE claimed_until > now()")
    assert [row["user_id"] for row in busy].count("ann") == 1


async def test_no_more_than_so_much_is_looked_at_and_other_endpoints_have_their_turn(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowded, _ = await add_endpoint(db, _URL, TASKS)
    other, _ = await add_endpoint(db, _URL, TASKS)
    nearer = webhook_deliveries._CLAIM.replace(f"{webhook_deliveries._FURTHEST}", "50")
    monkeypatch.setattr(webhook_deliveries, "_CLAIM", nearer)
    await db.execute(_CROWD, crowded.id, "crowd", 500)
    await db.execute(_CROWD, other.id, "ann", 1)
    assert set(await claim(db)) == {(crowded.id, "crowd"), (other.id, "ann")}
    await db.execute(_CROWD, other.id, "bob", 1)
    assert await claim(db) == [(other.id, "bob")]
