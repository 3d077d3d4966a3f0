"""Whose row it is that is named by its id alone.

Every statement names its user, so that one place is asked where the tables are divided by user.
Who is trusted with anybody's rows most often names one of the user's at hand: that is tried first,
and only where there is none all places are asked whose it is.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar
from uuid import UUID

from app.models.owner import is_bound
from app.services import Connection

Table = Literal["tasks", "categories", "calls"]
Found = TypeVar("Found")

OWNER_OF: dict[Table, str] = {
    "tasks": "SELECT user_id FROM tasks WHERE id = $1",
    "categories": "SELECT user_id FROM categories WHERE id = $1",
    "calls": "SELECT user_id FROM calls WHERE id = $1",
}


async def reach(
    db: Connection,
    table: Table,
    entity_id: UUID,
    owner: str | None,
    look: Callable[[str], Awaitable[Found | None]],
) -> Found | None:
    """What `look` finds among the owner's rows, or of whoever has it where that is allowed."""
    found = None if owner is None else await look(owner)
    if found is not None or is_bound(owner):
        return found
    other: str | None = await db.fetchval(OWNER_OF[table], entity_id)
    return None if other is None or other == owner else await look(other)
