"""What a transaction of several commands locks before the first of them.

A single command locks its user's counter of changes before anything else, and what is no task, a
contact or a call, before the counter. Several in one transaction would hold what the first locked
while they wait for what the next one names: all contacts, then all calls and then all counters are
therefore locked beforehand, each in one order.
"""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from app.models.owner import is_bound
from app.services import Connection
from app.services.owners import Table

CONTACT = "user_id"
_CALL = "call_id"
_TABLES: dict[str, Table] = {"task_id": "tasks", "category_id": "categories", _CALL: "calls"}
NAMES = frozenset({CONTACT, *_TABLES})
"""Members of a payload that name what a command locks."""

# One user's each, in the order of the users.
_LOCK_CONTACT = "SELECT 1 FROM contacts WHERE user_id = $1 FOR KEY SHARE"
_LOCK_CALLS = "SELECT 1 FROM calls WHERE user_id = $1 AND id = ANY ($2) ORDER BY id FOR UPDATE"
_LOCK_COUNTER = """
INSERT INTO change_counts AS counts (user_id, last_sequence) VALUES ($1, 0)
ON CONFLICT (user_id) DO UPDATE SET last_sequence = counts.last_sequence
"""


async def lock_named(
    db: Connection, user_id: str, owner: str | None, named: Mapping[str, Collection[UUID]]
) -> None:
    """Locks what the commands of one transaction name, and the counters of their owners."""
    if not any(named.values()):
        return
    owners = {user_id}
    if contacts := _in_order(map(str, named.get(CONTACT, ()))):
        await db.executemany(_LOCK_CONTACT, contacts)
    for name, table in _TABLES.items():
        if ids := named.get(name):
            found = await _owners(db, table, ids, user_id, bound=is_bound(owner))
            owners |= set(found.values())
            if name == _CALL:
                await _lock_calls(db, found)
    await db.executemany(_LOCK_COUNTER, _in_order({*owners, *(one for (one,) in contacts)}))


def _in_order(users: Iterable[str]) -> list[tuple[str]]:
    return [(user_id,) for user_id in sorted(users)]


OWN = "SELECT user_id, id FROM {} WHERE id = ANY ($1) AND user_id = $2"
OF_ANYBODY = "SELECT user_id, id FROM {} WHERE id = ANY ($1)"


async def _owners(
    db: Connection, table: Table, ids: Collection[UUID], user_id: str, *, bound: bool
) -> dict[UUID, str]:
    """Whose these are: looked for among the user's, and then, unless bound, among all."""
    rows = await db.fetch(OWN.format(table), list(ids), user_id)
    missing = set(ids).difference(row["id"] for row in rows)
    if missing and not bound:
        rows += await db.fetch(OF_ANYBODY.format(table), list(missing))
    return {row["id"]: row["user_id"] for row in rows}


async def _lock_calls(db: Connection, found: Mapping[UUID, str]) -> None:
    owners = sorted(set(found.values()))
    ids = {owner: [one for one, whose in found.items() if whose == owner] for owner in owners}
    await db.executemany(_LOCK_CALLS, list(ids.items()))
