"""Categories in PostgreSQL, by their owners: `app.models.owner` says which may be touched.

A task and its category always belong to the same user.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from asyncpg import Record

from app.errors import AlreadyAssigned, AppError, Foreign, Full, NotFound, Taken
from app.models.category import (
    DEFAULT_COLOR,
    MOST_CATEGORIES,
    MOST_OF_A_TASK,
    CategorizedTask,
    Category,
    CategoryFields,
    CategoryLabel,
)
from app.models.origin import PLATFORM, Origin
from app.models.owner import is_bound
from app.services import Connection, tasks
from app.services.changes import TAKE_TURN, lock_count, locked, recorded
from app.services.folding import dictionary_key, fold
from app.services.overwritten import CATEGORIES_BEFORE
from app.services.violations import violating

_COLUMNS = "id, name, color, created_at"

INSERT = f"""
INSERT INTO categories (user_id, name, color)
SELECT $1::text, $2, $3
WHERE (SELECT count(*) FROM categories WHERE user_id = $1::text) < {MOST_CATEGORIES}
RETURNING {_COLUMNS}
"""


async def insert_category(db: Connection, user_id: str, category: CategoryFields) -> Category:
    """Stores a new category; Taken when the user has one of this name, Full when too many.

    In a transaction, or the user's next might be counted before this one is there.
    """
    color = category.color or DEFAULT_COLOR
    await db.execute(TAKE_TURN, user_id)
    with violating("categories_name", Taken("Category name already exists")):
        row = await db.fetchrow(INSERT, user_id, category.name, color)
    if row is None:
        raise Full(f"A user may have at most {MOST_CATEGORIES} categories")
    return Category.model_construct(**row)


def _by_name(row: Record) -> tuple[str, str]:
    return dictionary_key(fold(row["name"])), row["name"]


_LIST = f"SELECT {_COLUMNS} FROM categories WHERE user_id = $1"


async def list_categories(db: Connection, user_id: str) -> list[Category]:
    """One user's categories, by name."""
    rows = sorted(await db.fetch(_LIST, user_id), key=_by_name)
    return [Category.model_construct(**row) for row in rows]


def _recategorized(source: str, origin: int) -> str:
    """What happens to the `old` tasks when categories come or go."""
    record = recorded(
        "'updated'", source, origin, fields="'{categories}'::text[]", before=CATEGORIES_BEFORE
    )
    return f"""
written AS (
    UPDATE tasks SET version = version + 1, updated_at = instant
    FROM {source} WHERE tasks.id = old.id AND tasks.user_id = $2
    RETURNING tasks.id
), {record}
"""


DELETE = f"""
WITH deleted AS (
    DELETE FROM categories WHERE id = $1 AND user_id = $2 RETURNING id
), counts AS MATERIALIZED (
    SELECT last_sequence, last_changed_at, clock_timestamp() AS now
    FROM change_counts WHERE user_id = $2
), numbered AS (
    SELECT tasks.id, tasks.user_id, row_number() OVER (ORDER BY tasks.id) AS number
    FROM deleted
    JOIN task_categories AS links ON category_id = deleted.id AND links.user_id = $2
    JOIN tasks ON tasks.id = task_id AND tasks.user_id = $2 AND deleted_at IS NULL
), old AS (
    SELECT id, user_id, last_sequence + number AS sequence,
        greatest(now, last_changed_at) + number * interval '1 microsecond' AS instant
    FROM numbered, counts
), counted AS (
    UPDATE change_counts SET last_sequence = last.sequence, last_changed_at = last.instant
    FROM (SELECT max(sequence) AS sequence, max(instant) AS instant FROM old) AS last
    WHERE change_counts.user_id = $2 AND last.sequence IS NOT NULL
), {_recategorized("old", 3)}
SELECT id FROM deleted
"""
_IS_FOREIGN = "SELECT EXISTS (SELECT 1 FROM categories WHERE id = $1 AND user_id <> $2)"


async def delete_category(
    db: Connection, category_id: UUID, owner: str | None, origin: Origin = PLATFORM
) -> None:
    """Removes a category, and thereby from every task; Foreign or NotFound where it cannot.

    In a transaction. Each task that was in it is changed thereby.
    """
    user_id = await lock_count(db, "categories", category_id, owner)
    if user_id is None or not await db.fetchval(DELETE, category_id, user_id, *origin):
        foreign = is_bound(owner) and await db.fetchval(_IS_FOREIGN, category_id, owner)
        raise (Foreign if foreign else NotFound)(f"Category not found: {category_id}")


# The task is written with its link: version, instant and change log move in the same statement.
# What is linked is locked first, as by whoever deletes it: a link to what is just being deleted
# would fail.
_TASK = "tasks.id = $1 AND user_id = $2 AND deleted_at IS NULL"
ASSIGN = f"""
WITH {
    locked(
        "tasks.id, user_id, categories.id AS category_id",
        f"{_TASK} AND categories.id = $3",
        "JOIN categories USING (user_id)",
        "FOR KEY SHARE OF categories",
    )
}, linked AS (
    INSERT INTO task_categories (user_id, task_id, category_id)
    SELECT user_id, id, category_id FROM old
), {_recategorized("old", 4)}
SELECT id FROM written
"""


_COUNT_OF_TASK = "SELECT count(*) FROM task_categories WHERE task_id = $1 AND user_id = $2"


async def assign_category(
    db: Connection,
    task_id: UUID,
    category_id: UUID,
    owner: str | None,
    origin: Origin = PLATFORM,
) -> CategorizedTask:
    """The task, now in the category; AlreadyAssigned, Foreign, NotFound or Full where it cannot.

    In a transaction, which is to be rolled back when it is Full.
    """
    user_id = await lock_count(db, "tasks", task_id, owner)
    if user_id is None:
        raise await _explain(db, task_id, category_id, owner)
    with violating("task_categories_pkey", AlreadyAssigned()):
        written = await db.fetchval(ASSIGN, task_id, user_id, category_id, *origin)
    if written is None:
        raise await _explain(db, task_id, category_id, owner)
    # Counted once the task is locked, so that of two at once the second counts the first.
    if await db.fetchval(_COUNT_OF_TASK, task_id, user_id) > MOST_OF_A_TASK:
        raise Full(f"A task may have at most {MOST_OF_A_TASK} categories")
    return await fetch_categorized(db, task_id, user_id)


_LINKED = """EXISTS (
    SELECT 1 FROM task_categories AS links
    WHERE task_id = tasks.id AND category_id = $3 AND links.user_id = $2
)"""
UNASSIGN = f"""
WITH {locked("id, user_id", f"{_TASK} AND {_LINKED}")}, linked AS (
    DELETE FROM task_categories AS links USING old
    WHERE task_id = old.id AND category_id = $3 AND links.user_id = $2
), {_recategorized("old", 4)}
SELECT id FROM written
"""


async def unassign_category(
    db: Connection,
    task_id: UUID,
    category_id: UUID,
    owner: str | None,
    origin: Origin = PLATFORM,
) -> CategorizedTask:
    """The task, no longer in the category; Foreign or NotFound where it is not in it.

    In a transaction.
    """
    user_id = await lock_count(db, "tasks", task_id, owner)
    if user_id is None or not await db.fetchval(UNASSIGN, task_id, user_id, category_id, *origin):
        raise await _explain(db, task_id, category_id, owner)
    return await fetch_categorized(db, task_id, user_id)


_OWNERS = """
SELECT (SELECT user_id FROM tasks WHERE id = $1 AND deleted_at IS NULL) AS task,
    (SELECT user_id FROM categories WHERE id = $2) AS category
"""


async def _explain(db: Connection, task_id: UUID, category_id: UUID, owner: str | None) -> AppError:
    """Why a task and a category could not be linked or unlinked."""
    owners = await db.fetchrow(_OWNERS, task_id, category_id)
    assert owners is not None  # noqa: S101 - a select without a table returns its row
    for found, expected, sentence in (
        (
            owners["task"],
            owner if is_bound(owner) else owners["task"],
            f"Task not found: {task_id}",
        ),
        (owners["category"], owners["task"], f"Category not found: {category_id}"),
    ):
        if found is None:
            return NotFound(sentence)
        if found != expected:
            return Foreign(sentence)
    return NotFound("The task does not have this category")


async def fetch_categorized(db: Connection, task_id: UUID, owner: str | None) -> CategorizedTask:
    """A task with its categories; NotFound as for the task alone."""
    task = await tasks.fetch_task(db, task_id, owner)
    labels = await fetch_labels(db, task.user_id, [task_id])
    return CategorizedTask.model_construct(**vars(task), categories=labels[task_id])


_LABELS = """
SELECT task_id, id, name, color
FROM task_categories AS links JOIN categories ON id = category_id AND categories.user_id = $1
WHERE links.user_id = $1 AND task_id = ANY ($2)
"""


async def fetch_labels(
    db: Connection, user_id: str, task_ids: Sequence[UUID]
) -> dict[UUID, list[CategoryLabel]]:
    """The categories of each of these tasks of a user, by name."""
    labels: dict[UUID, list[CategoryLabel]] = {task_id: [] for task_id in task_ids}
    for row in sorted(await db.fetch(_LABELS, user_id, task_ids), key=_by_name):
        labels[row["task_id"]].append(CategoryLabel.model_construct(**row))
    return labels


_FIND_LABELS = "SELECT id, name, color FROM categories WHERE user_id = $1 AND id = ANY ($2)"


async def find_labels(
    db: Connection, user_id: str, category_ids: Collection[UUID]
) -> list[CategoryLabel]:
    """Those of a user's categories that exist, by name."""
    rows = sorted(await db.fetch(_FIND_LABELS, user_id, category_ids), key=_by_name)
    return [CategoryLabel.model_construct(**row) for row in rows]
