"""The trail: every act of an administrator, kept for 400 days."""

from uuid import UUID

from pydantic import BaseModel
from pydantic_core import from_json

from app.models.audit import Author, Trail, TrailEntry
from app.services import Connection

_KEPT_DAYS = 400

_RECORD = """
INSERT INTO audit (act, object, administrator, address, request_id, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def record(
    db: Connection,
    author: Author,
    act: str,
    subject: str,
    *,
    before: BaseModel | None = None,
    after: BaseModel | None = None,
) -> None:
    """Keeps an act inside the transaction of what was done; what is shown must be no secret."""
    await db.execute(_RECORD, act, subject, *author, _json(before), _json(after))


def _json(shown: BaseModel | None) -> str | None:
    return None if shown is None else shown.model_dump_json()


_LIST = """
SELECT id, occurred_at, administrator, act, object, address, request_id, before, after
FROM audit WHERE id < coalesce($1::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
ORDER BY id DESC LIMIT $2
"""


async def list_acts(db: Connection, cursor: UUID | None, limit: int) -> Trail:
    """A page of acts, newest first, from those before the cursor's."""
    acts = [
        TrailEntry.model_construct(
            **{**row, "before": _parsed(row["before"]), "after": _parsed(row["after"])}
        )
        for row in await db.fetch(_LIST, cursor, limit)
    ]
    last = acts[-1].id if len(acts) == limit else None
    return Trail.model_construct(acts=acts, next_cursor=last)


def _parsed(text: str | None) -> object:
    return None if text is None else from_json(text)


_PURGE = "DELETE FROM audit WHERE occurred_at < now() - make_interval(days => $1)"


async def purge_acts(db: Connection) -> None:
    """Removes what has been kept for long enough."""
    await db.execute(_PURGE, _KEPT_DAYS)
