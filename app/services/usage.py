"""How often each service key was used for what, day by day."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

from app.models.key import DailyUse, DayOfUse
from app.services import Connection

_KEPT_DAYS = 90
_LISTED_DAYS = 14


class Use(NamedTuple):
    """So many answers to one key, on one day, about one action."""

    key_id: UUID
    day: date
    action: str
    ok: int
    refused: int
    failed: int


# It waits for no replica, and workers that write at once lock the rows in one order.
_ADD = """
WITH hurry AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO key_usage AS old (key_id, day, action, ok, refused, failed)
SELECT used.* FROM hurry, unnest(
    $1::uuid[], $2::date[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[]
) AS used (key_id, day, action, ok, refused, failed)
ORDER BY used.key_id, used.day, used.action
ON CONFLICT (key_id, day, action) DO UPDATE SET
    ok = old.ok + excluded.ok,
    refused = old.refused + excluded.refused,
    failed = old.failed + excluded.failed
"""


async def add_use(db: Connection, uses: Sequence[Use]) -> None:
    """Adds to what was counted before, in one statement."""
    await db.execute(_ADD, *map(list, zip(*uses, strict=True)))


_FETCH = """
SELECT day, action, ok, refused, failed FROM key_usage
WHERE key_id = $1 AND day > (now() AT TIME ZONE 'UTC')::date - $2::int
ORDER BY day DESC, action
"""


async def fetch_use(db: Connection, key_id: UUID) -> list[DailyUse]:
    """The use of a key in the last 90 days, the latest day first."""
    return [DailyUse.model_construct(**row) for row in await db.fetch(_FETCH, key_id, _KEPT_DAYS)]


_FETCH_ALL = """
SELECT key_id, day, sum(ok)::bigint AS ok, sum(refused)::bigint AS refused,
    sum(failed)::bigint AS failed
FROM key_usage
WHERE day > (now() AT TIME ZONE 'UTC')::date - $1::int
GROUP BY key_id, day
ORDER BY day DESC
"""


async def fetch_use_of_all(db: Connection) -> Mapping[UUID, list[DayOfUse]]:
    """The use of each key that was used in the last 14 days, the latest day first."""
    days = defaultdict(list)
    for row in await db.fetch(_FETCH_ALL, _LISTED_DAYS):
        days[row["key_id"]].append(DayOfUse.model_construct(**row))
    return days


_PURGE = "DELETE FROM key_usage WHERE day <= (now() AT TIME ZONE 'UTC')::date - $1::int"


async def purge_use(db: Connection) -> None:
    """Removes what nobody is shown any more."""
    await db.execute(_PURGE, _KEPT_DAYS)
