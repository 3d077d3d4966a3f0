"""Undo: a change is taken back by another one, which can be taken back in its turn.

A change, what undid it, what undid that and so on are a chain, known by its first change. Of the
changes that came after another one, those of a chain cancel each other where they are even in
number: so it is told what is undone, and what else was changed since.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from asyncpg import Record

from app.errors import LONGEST_NAME, AlreadyUndone, ChangedSince, Gone, NotFound
from app.models.origin import Origin
from app.models.task import Task
from app.services import Connection, undo_writes
from app.services.tasks import COLUMNS
from app.services.undo_writes import Step

_LOCK = "SELECT last_sequence FROM change_counts WHERE user_id = $1 FOR NO KEY UPDATE"

_STEP = """
SELECT changes.sequence, changes.entity_id, changes.operation, changes.fields,
    nullif(changes.before, 'null') AS before,
    coalesce(changes.undo_of, changes.sequence) AS chain,
    first.operation AS first_operation, first.transition AS first_transition,
    first.changed_at AS first_changed_at, jsonb_typeof(first.before) AS first_content
FROM changes LEFT JOIN changes AS first
    ON first.user_id = $1 AND first.sequence = coalesce(changes.undo_of, changes.sequence)
WHERE changes.user_id = $1 AND changes.kind = 'task' AND {}
ORDER BY changes.sequence DESC
"""
_STEP_OF_SEQUENCE = _STEP.format("changes.sequence = $2")
_STEPS_OF_BATCH = _STEP.format("changes.batch_id = $2")

# One's own command before another client's that has the same id.
_FIND_COMMAND = """
SELECT sequence, batch_id FROM changes
WHERE user_id = $1 AND kind = 'task' AND command_id = $2
ORDER BY by_name IS NOT DISTINCT FROM $3 DESC, sequence DESC
LIMIT 1
"""


class Outcome(NamedTuple):
    """The changes that were undone, in their order, and their tasks that are there now."""

    sequences: list[int]
    tasks: list[Task]


async def undo_sequence(db: Connection, user_id: str, sequence: int, origin: Origin) -> Outcome:
    """Takes back one change. In a transaction.

    NotFound where there is none, Gone where it or what it overwrote is not kept any more,
    AlreadyUndone, and ChangedSince where it cannot be taken back alone.
    """
    last = await db.fetchval(_LOCK, user_id) or 0
    rows = await db.fetch(_STEP_OF_SEQUENCE, user_id, sequence)
    if not rows and sequence > last:
        raise NotFound(f"Change not found: {sequence}")
    if not rows:
        raise Gone(f"Change {sequence} is not kept any more")
    return await _undo(db, user_id, rows, origin)


async def undo_command(db: Connection, user_id: str, command_id: str, origin: Origin) -> Outcome:
    """Takes back all that a command changed, or the batch it was part of. The same otherwise."""
    await db.fetchval(_LOCK, user_id)
    found = await db.fetchrow(_FIND_COMMAND, user_id, command_id, origin.name)
    if found is None:
        raise NotFound(f"Command not found: {command_id[:LONGEST_NAME]}")
    if found["batch_id"] is None:
        rows = await db.fetch(_STEP_OF_SEQUENCE, user_id, found["sequence"])
    else:
        rows = await db.fetch(_STEPS_OF_BATCH, user_id, found["batch_id"])
    return await _undo(db, user_id, rows, origin)


_FIND_TASKS = f"""
SELECT {COLUMNS} FROM tasks WHERE user_id = $1 AND id = ANY ($2) AND deleted_at IS NULL
"""


async def _undo(db: Connection, user_id: str, rows: Sequence[Record], origin: Origin) -> Outcome:
    if len(rows) > 1:
        origin = origin.together
    for row in rows:
        step = Step(user_id, *row)
        await _require_last(db, step)
        await undo_writes.take_back(db, step, origin)
    ids = list(dict.fromkeys(row["entity_id"] for row in reversed(rows)))
    found = {row["id"]: row for row in await db.fetch(_FIND_TASKS, user_id, ids)}
    tasks = [Task.model_construct(**found[task_id]) for task_id in ids if task_id in found]
    return Outcome([row["sequence"] for row in reversed(rows)], tasks)


_LATER = """
SELECT coalesce(undo_of, sequence) AS chain, fields FROM changes
WHERE user_id = $1 AND sequence > $2 AND kind = 'task' AND entity_id = $3
"""


async def _require_last(db: Connection, step: Step) -> None:
    """AlreadyUndone or ChangedSince where something that came later is in the way."""
    later = await db.fetch(_LATER, step.user_id, step.sequence, step.task_id)
    counts = Counter(row["chain"] for row in later)
    if counts[step.chain] % 2:
        raise AlreadyUndone(f"Change {step.sequence} is undone already")
    standing = [row["fields"] for row in later if counts[row["chain"]] % 2]
    changed = set().union(*standing)
    if step.operation == "updated":
        _refuse_changed(changed & set(step.fields))
    elif standing and step.operation == "deleted":
        raise AlreadyUndone("The task is there again")
    elif standing:
        raise ChangedSince("The task was changed since", sorted(changed))


def _refuse_changed(fields: set[str]) -> None:
    if fields:
        named = sorted(fields)
        raise ChangedSince(f"The task was changed since: {', '.join(named)}", named)
