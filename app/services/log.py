"""The log of changes as its consumers read it: each takes every change over once.

Of one user's changes the earlier come first. How that is known depends on where the log is: on one
machine by its numbers, divided among machines by a mark of each change.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from asyncpg import Record

from app.services import Connection

FEED_SIZE = 1000
"""How many changes are taken over at once."""


class Taking(NamedTuple):
    """A consumer, the SQL condition on the `changes` that it takes, and the inserts that do so.

    These read `taken`, which has the columns named in TAKEN.
    """

    consumer: str
    interest: str
    inserts: tuple[str, ...]


TAKEN = "position, kind, operation, transition, entity_id, user_id, changed_at"


class Log(Protocol):
    """The log as one consumer reads it."""

    @property
    def has_gap(self) -> bool:
        """Whether changes were seen that may not be taken over yet."""

    async def take(self, db: Connection) -> int:
        """Takes over the next changes, unless another worker is just doing so; how many were read.

        In a transaction.
        """

    async def advance(self, db: Connection, position: int, count: int) -> int:
        """A position up to which there are at most so many changes after this one."""


_REGISTER = "INSERT INTO consumers (name) VALUES ($1) ON CONFLICT DO NOTHING"
MARKED = "mark_change"
"""The trigger of a log that is divided (`app.database.marking`)."""
_IS_MARKED = f"""
SELECT EXISTS (
    SELECT 1 FROM pg_trigger WHERE tgrelid = 'changes'::regclass AND tgname = '{MARKED}'
)
"""


async def is_marked(db: Connection) -> bool:
    """Whether the log is divided, and says of each change who lacks it."""
    return bool(await db.fetchval(_IS_MARKED))


async def follow(db: Connection, taking: Taking) -> Log:
    """The log for a consumer, which begins with the oldest change there is when it is new."""
    await db.execute(_REGISTER, taking.consumer)
    return MarkedLog(taking) if await is_marked(db) else NumberedLog(taking)


class Gap(NamedTuple):
    """A position that was seen beyond missing ones, and a transaction that began after them all.

    What is missing was rolled back once every transaction older than that one has ended.
    """

    position: int = 0
    transaction_id: str = "0"


_NO_GAP = Gap()

# Positions are given out before their transactions commit, so a later one may be seen first. The
# run of positions without a gap is complete; up to a gap's position all is, once the gap is
# settled. Nothing is locked and no transaction id is taken where there is nothing to take over.
_TAKE = """
WITH consumer AS MATERIALIZED (
    SELECT position, greatest(position, CASE
        WHEN pg_snapshot_xmin(pg_current_snapshot()) >= $3::text::xid8 THEN $2::bigint
    END) AS settled
    FROM consumers
    WHERE name = $1 AND EXISTS (SELECT 1 FROM changes WHERE changes.position > consumers.position)
    FOR UPDATE SKIP LOCKED
), ahead AS MATERIALIZED (
    SELECT changes.*, settled
    FROM consumer CROSS JOIN LATERAL (
        SELECT {taken} FROM changes
        WHERE changes.position > consumer.position
        ORDER BY changes.position
        LIMIT {size}
    ) AS changes
), numbered AS (
    SELECT *, count(*) FILTER (WHERE position > settled) OVER (ORDER BY position) AS number
    FROM ahead
), passed AS MATERIALIZED (
    SELECT * FROM numbered WHERE position <= settled OR position = settled + number
), taken AS MATERIALIZED (
    SELECT * FROM passed AS changes WHERE {interest}
), {inserts}, moved AS (
    UPDATE consumers SET position = (SELECT max(position) FROM passed)
    WHERE name = $1 AND EXISTS (SELECT 1 FROM passed)
)
SELECT (SELECT count(*) FROM passed) AS read,
    coalesce((SELECT max(position) FROM passed), position) AS reached,
    coalesce((SELECT max(position) FROM ahead), position) AS seen,
    pg_current_xact_id()::text AS transaction_id
FROM consumer
"""


class NumberedLog:
    """A log on one machine, whose positions have the order of writing.

    Where it has a gap, the rest waits until a later call finds the gap settled.
    """

    def __init__(self, taking: Taking) -> None:
        inserts = (f"insert_{number} AS ({text})" for number, text in enumerate(taking.inserts))
        self.statement = _TAKE.format(
            taken=TAKEN, size=FEED_SIZE, interest=taking.interest, inserts=", ".join(inserts)
        )
        self._consumer = taking.consumer
        self._gap = _NO_GAP

    @property
    def has_gap(self) -> bool:
        """Whether it waits for a transaction that may have taken a position before."""
        return self._gap != _NO_GAP

    async def take(self, db: Connection) -> int:
        """Takes over what is complete."""
        row = await db.fetchrow(self.statement, self._consumer, *self._gap)
        self._gap = _NO_GAP if row is None else self._gap_after(row)
        return row["read"] if row else 0

    async def advance(self, db: Connection, position: int, count: int) -> int:
        """So many numbers on."""
        return position + count

    def _gap_after(self, row: Record) -> Gap:
        if row["reached"] == row["seen"]:
            return _NO_GAP
        if row["reached"] < self._gap.position:
            return self._gap
        return Gap(row["seen"], row["transaction_id"])


_HOLD = "SELECT 1 FROM consumers WHERE name = $1 FOR UPDATE SKIP LOCKED"
_NEXT = """
SELECT {taken}, {interest} AS is_wanted FROM changes WHERE '{consumer}' = ANY (untaken)
ORDER BY changed_at, position LIMIT {size}
"""
# Another worker may have taken some since they were read, and where it was cut off, nodes may have
# still to hear of its commit. This waits for them, and takes the rest.
_UNMARK = """
UPDATE changes SET untaken = nullif(array_remove(untaken, '{consumer}'), '{{}}')
WHERE user_id = ANY ($1) AND position = ANY ($2) AND '{consumer}' = ANY (untaken)
RETURNING position
"""
_GIVEN = f"""
WITH taken AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[],
        $7::timestamptz[]) AS taken ({TAKEN})
)
"""
ADVANCE = "SELECT position FROM changes WHERE position > $1 ORDER BY position OFFSET $2 LIMIT 1"
_FURTHEST = 2**63 - 1
_MOVE = "UPDATE consumers SET position = greatest(position, $2) WHERE name = $1"


class MarkedLog:
    """A log divided by user, which has no order of commits, but says of each change who lacks it.

    A user's instants have the order of commits, for the user's counter is locked meanwhile: when a
    change can be seen, so can those before it. There is nothing to wait for.
    """

    has_gap = False

    def __init__(self, taking: Taking) -> None:
        self._consumer, interest, inserts = taking
        self.next = _NEXT.format(
            taken=TAKEN, interest=interest, consumer=self._consumer, size=FEED_SIZE
        )
        self.unmark = _UNMARK.format(consumer=self._consumer)
        self._inserts = [_GIVEN + text for text in inserts]

    async def take(self, db: Connection) -> int:
        """Takes over what can be seen."""
        rows = await db.fetch(self.next)
        if not rows or not await db.fetchval(_HOLD, self._consumer):
            return 0
        users = list({row["user_id"] for row in rows})
        positions = [row["position"] for row in rows]
        unmarked = {row[0] for row in await db.fetch(self.unmark, users, positions)}
        await self._insert(
            db, [row for row in rows if row["is_wanted"] and row["position"] in unmarked]
        )
        await db.execute(_MOVE, self._consumer, max(positions))
        return len(rows)

    async def advance(self, db: Connection, position: int, count: int) -> int:
        """The position of the last of so many changes, or of any change to come."""
        return await db.fetchval(ADVANCE, position, count - 1) or _FURTHEST

    async def _insert(self, db: Connection, rows: Sequence[Record]) -> None:
        if rows:
            columns = list(zip(*rows, strict=True))[: len(TAKEN.split(","))]
            for insert in self._inserts:
                await db.execute(insert, *map(list, columns))


_POSITION = "SELECT position FROM consumers WHERE name = $1"
FIRST_AGE = """
SELECT extract(epoch FROM clock_timestamp() - changed_at)::float8 FROM changes
WHERE position > $1 ORDER BY position LIMIT 1
"""


async def untaken_age(db: Connection, consumer: str) -> float:
    """For how many seconds the oldest change has waited to be taken over; 0 when none does."""
    position = await db.fetchval(_POSITION, consumer)
    return 0.0 if position is None else await db.fetchval(FIRST_AGE, position) or 0.0
