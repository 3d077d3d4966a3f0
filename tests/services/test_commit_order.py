"""Writers of one user at a walk's side: nothing is skipped, nothing comes twice."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import Any, get_args
from uuid import UUID

import asyncpg
import pytest

from app.models.category import CategoryFields
from app.models.spelling import plain
from app.models.task import TaskChanges, TaskFields
from app.models.task_list import Position, Slice, TaskFilter, TaskSort
from app.services import Connection, categories, feed, task_lists, tasks

USER = "busy"
_WRITERS = 8
_EACH = 25
_BY_WRITING = ("created_at", "updated_at")
_ORDER = """
SELECT array_agg(sequence ORDER BY sequence) = array_agg(sequence ORDER BY changed_at, sequence)
    AND count(DISTINCT changed_at) = count(*) AND max(sequence) = count(*)
FROM changes WHERE user_id = $1
"""
# What was created later has a later instant, and what was changed last too.
_INSTANTS = """
SELECT bool_and(tasks.created_at = made.changed_at) AND bool_and(tasks.updated_at = last.changed_at)
FROM tasks
JOIN changes AS made ON made.entity_id = tasks.id AND made.operation = 'created'
JOIN LATERAL (
    SELECT changed_at FROM changes WHERE entity_id = tasks.id ORDER BY sequence DESC LIMIT 1
) AS last ON true
WHERE tasks.user_id = $1
"""


async def create(db: Connection, numbers: Iterator[int]) -> None:
    for _ in range(_EACH):
        await tasks.insert_task(db, USER, TaskFields(title=f"Task {next(numbers)}"))


async def change(db: Connection, ids: list[UUID], numbers: Iterator[int]) -> None:
    for _ in range(_EACH):
        number = next(numbers)
        task_id = ids[number * 7 % len(ids)]
        if number % 3:
            await tasks.update_task(db, task_id, USER, TaskChanges(title=f"Changed {number}"))
        else:
            await tasks.toggle_task(db, task_id, USER)


async def link(db: Connection, ids: list[UUID]) -> None:
    category = await categories.insert_category(db, USER, CategoryFields(name="Litter"))
    for task_id in ids[:10]:
        async with db.transaction():
            await categories.assign_category(db, task_id, category.id, USER)
    async with db.transaction():
        await categories.delete_category(db, category.id, USER)


async def walk(db: Connection, sort: TaskSort, writing: asyncio.Future[Any]) -> list[UUID]:
    """The ids in the order of writing, in pages of five, until nobody writes."""
    found: list[UUID] = []
    after = None
    while True:
        is_last = writing.done()
        part = Slice(5, after)
        page = await task_lists.fetch_page(
            db, USER, TaskFilter(), sort, part, plain(["updated_at"])
        )
        tasks = json.loads(b"[%b]" % page.tasks)
        found += [UUID(task["id"]) for task in tasks]
        if tasks:
            after = Position(datetime.fromisoformat(tasks[-1][sort]), found[-1])
        elif is_last:
            return found
        await asyncio.sleep(0)


async def walk_to_the_end(db: Connection, sort: TaskSort) -> list[UUID]:
    """The ids in any other order, from cursor to cursor."""
    found: list[UUID] = []
    part: Slice | None = Slice(5)
    while part is not None:
        page = await task_lists.fetch_page(db, USER, TaskFilter(), sort, part)
        found += [UUID(task["id"]) for task in json.loads(b"[%b]" % page.tasks)]
        part = page.last and Slice(5, page.last)
        await asyncio.sleep(0)
    return found


async def follow(db: Connection, writing: asyncio.Future[Any]) -> list[int]:
    known, found = 0, [0]
    while True:
        is_last = writing.done()
        last = await feed.fetch_last_sequence(db, USER)
        changes = [] if last == known else await feed.fetch_changes(db, USER, known, 7)
        found += [one.sequence for one in changes]
        known = found[-1]
        if not changes and is_last:
            return found[1:]
        await asyncio.sleep(0)


async def test_order_of_sequences_and_instants_is_that_of_the_commits(
    crowd: list[Connection],
) -> None:
    made = [await tasks.insert_task(crowd[0], USER, TaskFields(title="First")) for _ in range(20)]
    ids, numbers = [task.id for task in made], count()
    writers = [create(db, numbers) for db in crowd[:3]]
    writers += [change(db, ids, numbers) for db in crowd[3:7]]
    await asyncio.gather(*writers, link(crowd[7], ids))
    assert await crowd[0].fetchval(_ORDER, USER)
    assert await crowd[0].fetchval(_INSTANTS, USER)


async def test_the_feed_beside_eight_writers_skips_and_doubles_nothing(
    database_url: str, crowd: list[Connection]
) -> None:
    made = [await tasks.insert_task(crowd[0], USER, TaskFields(title="First")) for _ in range(20)]
    ids, numbers = [task.id for task in made], count()
    reader = await connected(database_url)
    writers = [create(db, numbers) for db in crowd[:4]]
    writing = asyncio.gather(*writers, *(change(db, ids, numbers) for db in crowd[4:]))
    assert await follow(reader, writing) == list(range(1, 20 + _WRITERS * _EACH + 1))
    await reader.close()


@pytest.mark.parametrize("sort", _BY_WRITING)
async def test_a_walk_beside_eight_writers_skips_and_doubles_nothing(
    database_url: str, crowd: list[Connection], sort: TaskSort
) -> None:
    reader, numbers = await connected(database_url), count()
    writing = asyncio.gather(*(create(db, numbers) for db in crowd))
    found = await walk(reader, sort, writing)
    assert len(found) == len(set(found)) == _WRITERS * _EACH
    await reader.close()


@pytest.mark.parametrize("sort", sorted(set(get_args(TaskSort)) - set(_BY_WRITING)))
async def test_a_walk_in_any_order_meets_once_what_was_there_before(
    database_url: str, crowd: list[Connection], sort: TaskSort
) -> None:
    made = [
        await tasks.insert_task(crowd[0], USER, TaskFields(title=f"Old {number}"))
        for number in range(30)
    ]
    reader, numbers = await connected(database_url), count()
    writing = asyncio.gather(*(create(db, numbers) for db in crowd))
    found = await walk_to_the_end(reader, sort)
    await writing
    assert [found.count(task.id) for task in made] == [1] * 30
    assert len(found) == len(set(found))
    await reader.close()


async def test_an_instant_never_goes_back_with_the_clock(db: Connection) -> None:
    task = await tasks.insert_task(db, USER, TaskFields(title="Feed cat"))
    await db.execute("UPDATE change_counts SET last_changed_at = now() + interval '1 hour'")
    later = await tasks.update_task(db, task.id, USER, TaskChanges(title="Feed dog"))
    newer = await tasks.insert_task(db, USER, TaskFields(title="Feed bird"))
    ahead = later.updated_at - task.created_at
    assert ahead.total_seconds() > 3000
    assert newer.created_at > later.updated_at


async def test_a_task_that_somebody_wrote_by_hand_is_counted_from_its_first_change(
    db: Connection,
) -> None:
    insert = "INSERT INTO tasks (user_id, title) VALUES ($1, 'By hand') RETURNING id"
    task_id = await db.fetchval(insert, USER)
    assert (await tasks.toggle_task(db, task_id, USER)).status == "completed"
    assert await feed.fetch_last_sequence(db, USER) == 1


async def connected(url: str) -> Connection:
    connection: Connection = await asyncpg.connect(url)
    return connection
