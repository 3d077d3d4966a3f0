"""Texts without their folds: what was there before, and what an earlier version or hand wrote.

The tasks are gone through in the order in which they lie in the table, part by part, by whichever
worker has its turn. Passes become rarer with time: the first follow the deployment that brought
the folds, when earlier versions still write; later ones find next to nothing.
"""

from asyncpg import Record

from app.services import Connection
from app.services.folding import folds_of, searched

_BLOCKS_AT_ONCE = 64
_TASKS_AT_ONCE = 100

_TURN = "SELECT next_block FROM text_folding WHERE due_at <= now() FOR UPDATE SKIP LOCKED"


def _unfolded(text: str, hashed: str) -> str:
    return f"""(octet_length({text}) <> char_length({text})
        AND {hashed} IS DISTINCT FROM hashtext({text}))"""


_FIND = f"""
SELECT user_id, id, title, {searched("description")} AS description
FROM tasks
WHERE ctid >= $1 AND ctid < $2 AND ({_unfolded("title", "title_hash")}
    OR {_unfolded(searched("description"), "description_hash")})
LIMIT {_TASKS_AT_ONCE}
"""

# What was changed since it was read is left to the next pass.
_FOLD = f"""
UPDATE tasks SET
    folded_title = $5,
    title_key = $6,
    title_hash = CASE WHEN $5::text IS NOT NULL THEN hashtext($3::text) END,
    folded_description = $7,
    description_hash = CASE WHEN $7::text IS NOT NULL THEN hashtext($4::text) END
WHERE user_id = $1 AND id = $2 AND title = $3
    AND {searched("description")} IS NOT DISTINCT FROM $4
"""

_GO_ON = "UPDATE text_folding SET next_block = $1"
_PAUSE = """
UPDATE text_folding SET next_block = 0,
    due_at = now() + least(greatest(now() - since, interval '10 minutes'), interval '1 day')
"""
_BLOCKS = """
SELECT greatest(
    pg_relation_size('tasks'),
    (SELECT max(pg_relation_size(relid)) FROM pg_partition_tree('tasks'))
) / current_setting('block_size')::int
"""


async def fold_some(db: Connection) -> int | None:
    """Folds the next texts that lack it; how many tasks these were, None where nothing is due.

    In a transaction, in which it is this worker's turn.
    """
    block = await db.fetchval(_TURN)
    if block is None:
        return None
    ends = block + _BLOCKS_AT_ONCE
    rows = await db.fetch(_FIND, (block, 0), (ends, 0))
    await _fold(db, rows)
    if len(rows) == _TASKS_AT_ONCE:
        return len(rows)  # there may be more of them here
    if ends < await db.fetchval(_BLOCKS):
        await db.execute(_GO_ON, ends)
    else:
        await db.execute(_PAUSE)
    return len(rows)


async def _fold(db: Connection, rows: list[Record]) -> None:
    if rows:
        folded = await folds_of((row["title"], row["description"]) for row in rows)
        values = [(*row, *own) for row, own in zip(rows, folded, strict=True)]
        await db.executemany(_FOLD, values)
