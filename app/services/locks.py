"""What a transaction of several commands locks before the first of them.

A single command locks its user's counter of changes before anything else, and what is no task, a
contact or a call, before the counter. Several in one transaction would hold what the first locked
while they wait for what the next one names: all contacts, then all calls and then all counters are
therefore locked beforehand, each in one order.
"""

from collections.abc import Collection, Mapping
from uuid import UUID

from app.services import Connection

_OWNED = "id = ANY ($1) AND ($2::text IS NULL OR user_id = $2)"
CONTACT = "user_id"
_OWNERS = {
    CONTACT: f"SELECT user_id FROM contacts WHERE {_OWNED} ORDER BY id FOR KEY SHARE",
    "call_id": f"SELECT user_id FROM calls WHERE {_OWNED} ORDER BY id FOR UPDATE",
    "task_id": f"SELECT DISTINCT user_id FROM tasks WHERE {_OWNED}",
    "category_id": f"SELECT DISTINCT user_id FROM categories WHERE {_OWNED}",
}
NAMES = frozenset(_OWNERS)
"""Members of a payload that name what a command locks."""
_LOCK_COUNTERS = """
INSERT INTO change_counts AS counts (user_id, last_sequence)
SELECT owner, 0 FROM unnest($1::text[]) AS owner ORDER BY owner
ON CONFLICT (user_id) DO UPDATE SET last_sequence = counts.last_sequence
"""


async def lock_named(
    db: Connection, user_id: str, owner: str | None, named: Mapping[str, Collection[UUID]]
) -> None:
    """Locks what the commands of one transaction name, and the counters of their owners."""
    owners = {user_id, *map(str, named.get(CONTACT, ()))}
    for name, statement in _OWNERS.items():
        if ids := named.get(name):
            owners |= {row[0] for row in await db.fetch(statement, list(ids), owner)}
    if any(named.values()):
        await db.execute(_LOCK_COUNTERS, list(owners))
