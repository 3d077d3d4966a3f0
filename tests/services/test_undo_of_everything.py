"""Whatever was done: the feed tells the tasks from any cursor, and undo leads back and forth."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import AppError
from app.models.category import CategoryFields
from app.models.origin import PLATFORM
from app.models.task import TaskChanges, TaskFields
from app.services import Connection, categories, deletions, feed, tasks
from app.services.undo import undo_sequence

with_db = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
statuses = st.sampled_from(["pending", "in_progress", "completed"])
instants = st.none() | st.sampled_from([datetime(2030, 1, day, tzinfo=UTC) for day in (1, 2)])
fields = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["Feed cat", "Feed dog", "💜 \\ \" ' {},"]),
        "description": st.none() | st.just("Salmon"),
        "status": statuses,
        "due_date": instants,
        "tags": st.sampled_from([[], ["a"], ["b,c", '"{}\\']]),
    },
).filter(bool)
TO_A_TASK = {
    "toggle": tasks.toggle_task,
    "delete": deletions.delete_task,
    "withdraw": deletions.withdraw_task,
    "restore": deletions.restore_task,
}
which = st.integers(0, 5)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("create"), fields),
        st.tuples(st.just("update"), which, fields),
        st.tuples(st.just("toggle"), which),
        st.tuples(st.just("delete"), which),
        st.tuples(st.just("withdraw"), which),
        st.tuples(st.just("restore"), which),
        st.tuples(st.just("assign"), which),
        st.tuples(st.just("undo"), st.integers(1, 12)),
    ),
    min_size=3,
    max_size=14,
)

_STATE = """
SELECT id, title, description, status, priority, created_at, completed_at, due_date, tags,
    ARRAY(SELECT category_id FROM task_categories WHERE task_id = id ORDER BY 1) AS categories
FROM tasks WHERE user_id = $1 AND deleted_at IS NULL ORDER BY id
"""
_COMPLETIONS = """
SELECT task_id, completed_at, due_date, reopened_at FROM completions
WHERE user_id = $1 ORDER BY 1, 2
"""


class World:
    """One user's tasks, and what may be done to them."""

    def __init__(self, db: Connection) -> None:
        self.db, self.user = db, uuid4().hex
        self.ids: list[Any] = []

    async def begin(self) -> None:
        made = CategoryFields(name="Litter")
        self.category = await categories.insert_category(self.db, self.user, made)

    async def do(self, name: str, *arguments: Any) -> None:
        """Does a step, which may be refused; then nothing is written."""
        if name == "create":
            new = TaskFields(**{"title": "Feed cat", **arguments[0]})
            self.ids.append((await tasks.insert_task(self.db, self.user, new)).id)
        elif name == "undo":
            await undo_sequence(self.db, self.user, arguments[0], PLATFORM)
        elif self.ids:
            await self._change(name, self.ids[arguments[0] % len(self.ids)], *arguments[1:])

    async def _change(self, name: str, task_id: Any, *values: Any) -> None:
        db, user = self.db, self.user
        if name == "update":
            await tasks.update_task(db, task_id, user, TaskChanges(**values[0]))
        elif name == "assign":
            await categories.assign_category(db, task_id, self.category.id, user)
        else:
            write: Any = TO_A_TASK[name]
            await write(db, task_id, user)

    async def tried(self, name: str, *arguments: Any) -> None:
        transaction = self.db.transaction()
        await transaction.start()
        try:
            await self.do(name, *arguments)
        except AppError:
            await transaction.rollback()
        else:
            await transaction.commit()

    async def state(self) -> tuple[list[Any], list[Any]]:
        found = await self.db.fetch(_STATE, self.user)
        done = await self.db.fetch(_COMPLETIONS, self.user)
        return [tuple(row) for row in found], [tuple(row) for row in done]

    async def last(self) -> int:
        return await feed.fetch_last_sequence(self.db, self.user)

    async def undo_back_to(self, sequence: int) -> None:
        for number in range(await self.last(), sequence, -1):
            await undo_sequence(self.db, self.user, number, PLATFORM)


@given(steps=steps)
@with_db
async def test_undo_of_everything_and_of_that_undo_is_the_state_before(
    db: Connection, steps: list[tuple[Any, ...]]
) -> None:
    world = World(db)
    await world.begin()
    for step in steps:
        await world.tried(*step)
    before, last = await world.state(), await world.last()
    await world.undo_back_to(0)
    assert await world.state() == ([], [])
    assert await world.last() == 2 * last
    await world.undo_back_to(last)
    assert await world.state() == before


@given(steps=steps, cut=st.integers(0, 14))
@with_db
async def test_the_feed_from_any_cursor_leads_to_the_tasks_of_now(
    db: Connection, steps: list[tuple[Any, ...]], cut: int
) -> None:
    world = World(db)
    await world.begin()
    for step in steps[:cut]:
        await world.tried(*step)
    known = await world.last()
    copy = {row[0]: row[:-1] for row in (await world.state())[0]}
    for step in steps[cut:]:
        await world.tried(*step)
    changes = []
    if await world.last() > known:
        changes = await feed.fetch_changes(db, world.user, known, 500)
    assert [one.sequence for one in changes] == list(range(known + 1, await world.last() + 1))
    for change in changes:
        copy.pop(change.task_id, None)
        if (task := change.task) is not None:
            copy[task.id] = (
                *(task.id, task.title, task.description, task.status, task.priority),
                *(task.created_at, task.completed_at, task.due_date, task.tags),
            )
    assert sorted(copy.values()) == [row[:-1] for row in (await world.state())[0]]
