"""How a change is taken back, each way in one statement, which is logged as any write."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic_core import from_json

from app.errors import ChangedSince, Gone
from app.models.origin import Origin
from app.services import Connection
from app.services.changes import counted, deleting, locked, recorded
from app.services.folding import FOLDS, Folds, folds, refolded
from app.services.overwritten import (
    ALL_BEFORE,
    BEFORE,
    CATEGORIES_BEFORE,
    CHANGED,
    CONTENT_WRITTEN,
    OLD,
    TRANSITION,
)


class Step(NamedTuple):
    """A change to be taken back, and the first of its chain.

    `first_content` is 'object' where that deleted a task for good, and 'null' once it is forgotten.
    """

    user_id: str
    sequence: int
    task_id: UUID
    operation: str
    fields: list[str]
    before: str | None
    chain: int
    first_operation: str | None
    first_transition: str | None
    first_changed_at: datetime | None
    first_content: str | None

    @property
    def reopens(self) -> bool:
        """Whether the chain is about the end of a completion, and not about its beginning."""
        return self.first_transition == "reopened"


async def take_back(db: Connection, step: Step, origin: Origin) -> None:
    """Restores what the change overwrote. Its user's counter is locked, and nothing came later."""
    if step.operation == "updated":
        await (_recategorize if step.fields == ["categories"] else _revert)(db, step, origin)
    elif step.operation == "deleted":
        await _bring_back(db, step, origin)
    else:
        await _take_away(db, step, origin)


def _require(written: object, step: Step) -> None:
    if written is None:
        raise ChangedSince("The task was deleted since", step.fields)


_OWNED = "id = $1 AND user_id = $2 AND deleted_at IS NULL"
_VALUES = ("title", "description", "status", "priority", "due_date", "tags", "completed_at")
_ASSIGNMENTS = ", ".join(
    f"{name} = CASE WHEN $4::jsonb ? '{name}' THEN new.{name} ELSE old.{name} END"
    for name in _VALUES
)
_REFOLDED = refolded("$4::jsonb ? '{}'", 8, "new.title", "new.description")
_STATUS = "coalesce($4::jsonb->>'status', old.status)"
_OPENS = f"old.status = 'completed' AND {_STATUS} <> 'completed'"
_COMPLETES = f"old.status <> 'completed' AND {_STATUS} = 'completed'"
# What a later undo brings back as it was: the task may be due at another time by then.
_WITHDRAWN_COMPLETION = """coalesce(
    (SELECT jsonb_build_object('completion', to_jsonb(withdrawn)) FROM withdrawn), '{}')"""
# A completion that is taken back never was; one whose end is taken back goes on as it was.
REVERT = f"""
WITH {locked(OLD, _OWNED)}, withdrawn AS (
    DELETE FROM completions USING old
    WHERE completions.user_id = $2 AND task_id = $1 AND reopened_at IS NULL
        AND NOT $6 AND {_OPENS}
    RETURNING completions.completed_at, completions.due_date
), revived AS (
    INSERT INTO completions (user_id, task_id, completed_at, due_date)
    SELECT $2, $1, kept.completed_at, kept.due_date FROM old,
        jsonb_populate_record(NULL::completions, $4::jsonb->'completion') AS kept
    WHERE $4 ? 'completion' AND {_COMPLETES}
), resumed AS (
    UPDATE completions SET reopened_at = CASE WHEN {_OPENS} THEN $7::timestamptz END FROM old
    WHERE completions.user_id = $2 AND task_id = $1 AND $6 AND (
        {_OPENS} AND reopened_at IS NULL OR {_COMPLETES} AND reopened_at = $7
    )
), written AS (
    UPDATE tasks SET {_ASSIGNMENTS}, {_REFOLDED}, updated_at = instant, version = tasks.version + 1
    FROM old, jsonb_populate_record(NULL::tasks, $4::jsonb) AS new
    WHERE tasks.id = old.id AND tasks.user_id = $2
    RETURNING tasks.id, tasks.status
), {
    recorded(
        "'updated'",
        CHANGED,
        11,
        fields="$3::text[]",
        before=f"{BEFORE} || {_WITHDRAWN_COMPLETION}",
        transition=TRANSITION,
        undo_of="$5::bigint",
    )
}
SELECT id FROM written
"""


async def _revert(db: Connection, step: Step, origin: Origin) -> None:
    if step.before is None:
        raise Gone(f"What change {step.sequence} overwrote is not kept any more")
    context = (step.chain, step.reopens, step.first_changed_at)
    arguments = (step.before, *context, *_folds_of(step.before))
    written = await db.fetchval(
        REVERT, step.task_id, step.user_id, step.fields, *arguments, *origin
    )
    _require(written, step)


def _folds_of(before: str) -> Folds:
    """Those of the texts that come back."""
    texts = from_json(before)
    return Folds.of(texts.get("title", ""), texts.get("description"))


_COUNT_CATEGORIES = "SELECT count(*) FROM categories WHERE user_id = $1 AND id = ANY ($2)"
RECATEGORIZE = f"""
WITH {locked("id, user_id", _OWNED)}, removed AS (
    DELETE FROM task_categories AS links USING old
    WHERE task_id = old.id AND links.user_id = $2 AND category_id <> ALL ($3)
), added AS (
    INSERT INTO task_categories (user_id, task_id, category_id)
    SELECT user_id, id, unnest($3::uuid[]) FROM old
    ON CONFLICT DO NOTHING
), written AS (
    UPDATE tasks SET updated_at = instant, version = tasks.version + 1
    FROM old WHERE tasks.id = old.id AND tasks.user_id = $2
    RETURNING tasks.id
), {
    recorded(
        "'updated'",
        "old",
        5,
        fields="'{categories}'::text[]",
        before=CATEGORIES_BEFORE,
        undo_of="$4::bigint",
    )
}
SELECT id FROM written
"""


async def _recategorize(db: Connection, step: Step, origin: Origin) -> None:
    if step.before is None:
        raise Gone(f"What change {step.sequence} overwrote is not kept any more")
    wanted = [UUID(text) for text in from_json(step.before)["categories"]]
    if await db.fetchval(_COUNT_CATEGORIES, step.user_id, wanted) < len(wanted):
        raise Gone("A category that the task was in is deleted")
    arguments = (wanted, step.chain)
    written = await db.fetchval(RECATEGORIZE, step.task_id, step.user_id, *arguments, *origin)
    _require(written, step)


_WITHDRAWN = "id = $1 AND user_id = $2 AND deleted_at IS NOT NULL"
RESTORE = f"""
WITH {locked("id, user_id", _WITHDRAWN)}, written AS (
    UPDATE tasks SET deleted_at = NULL, updated_at = instant, version = tasks.version + 1
    FROM old WHERE tasks.id = old.id AND tasks.user_id = $2
    RETURNING tasks.id
), {recorded("'restored'", "old", 4, undo_of="$3::bigint")}
SELECT id FROM written
"""
_RESTORED = ", ".join((*_VALUES, "created_at"))
INSERT = f"""
WITH {counted("$2")}, written AS (
    INSERT INTO tasks (id, user_id, updated_at, version, {_RESTORED}, {FOLDS})
    SELECT $1, $2, instant, kept.version + 1, {_RESTORED},
        {", ".join(folds(5, "kept.title", "kept.description"))}
    FROM counted, jsonb_populate_record(NULL::tasks, $4::jsonb) AS kept
    ON CONFLICT DO NOTHING
    RETURNING id, user_id
), linked AS (
    INSERT INTO task_categories (user_id, task_id, category_id)
    SELECT $2, written.id, categories.id FROM written CROSS JOIN categories
    WHERE categories.user_id = $2
        AND categories.id::text IN (SELECT jsonb_array_elements_text($4::jsonb->'categories'))
), {recorded("'restored'", "written AS old, counted", 8, undo_of="$3::bigint")}
SELECT id FROM written
"""


async def _bring_back(db: Connection, step: Step, origin: Origin) -> None:
    """From where withdrawn tasks are, or from what was kept."""
    arguments = (step.task_id, step.user_id, step.chain)
    if await db.fetchval(RESTORE, *arguments, *origin) is not None:
        return
    if step.before is None:
        raise Gone("The task's content is not kept any more")
    written = await db.fetchval(INSERT, *arguments, step.before, *_folds_of(step.before), *origin)
    if written is None:
        raise ChangedSince("The task is there again", step.fields)


WITHDRAW = f"""
WITH {locked("id, user_id", _OWNED)}, written AS (
    UPDATE tasks SET deleted_at = instant, updated_at = instant, version = tasks.version + 1
    FROM old WHERE tasks.id = old.id AND tasks.user_id = $2
    RETURNING tasks.id
), {recorded("'deleted'", "old", 4, undo_of="$3::bigint")}
SELECT id FROM written
"""
# What was completed when it was created is taken back with it.
DELETE = f"""
WITH {deleting(_OWNED, CONTENT_WRITTEN)}, withdrawn AS (
    DELETE FROM completions USING written
    WHERE completions.user_id = $2 AND task_id = $1 AND reopened_at IS NULL
        AND $4 AND written.status = 'completed'
), {recorded("'deleted'", "written AS old", 5, before=ALL_BEFORE, undo_of="$3::bigint")}
SELECT id FROM written
"""


async def _take_away(db: Connection, step: Step, origin: Origin) -> None:
    """For good where it was created, or deleted for good before; else as it was withdrawn.

    Gone where nobody knows any more, or what was deleted for good is forgotten.
    """
    arguments = (step.task_id, step.user_id, step.chain)
    created = step.first_operation == "created"
    if step.first_operation is None or step.first_content == "null":
        raise Gone(f"What change {step.chain} was is not kept any more")
    if created or step.first_content == "object":
        written = await db.fetchval(DELETE, *arguments, created, *origin)
    else:
        written = await db.fetchval(WITHDRAW, *arguments, *origin)
    _require(written, step)
