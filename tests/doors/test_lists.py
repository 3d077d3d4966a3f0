"""Lists that PostgreSQL spells show each task exactly as it is shown alone."""

from itertools import product
from typing import Any, get_args

import pytest
from httpx import AsyncClient

from app.models.task import Priority, Status
from app.services import Connection
from tests.doors.test_user_tasks import bearer
from tests.support.people import acting_for

USER = "o'Brien"
_INSERT = """
INSERT INTO tasks (
    user_id, title, description, status, priority, due_date, tags, created_at, updated_at,
    completed_at
) VALUES (
    $1, $2, $3, $4, $5, '2030-01-31T23:59:59.000001Z', '{"a \\"b\\"",ñ,\\\\}',
    '2020-01-01T00:00:00Z', '2021-02-03T04:05:06.7Z', $6
)
"""
_TEXT = 'Cats\' "food" \\ \t🐈 \x7f \u2028 </script>'


async def fill(db: Connection) -> None:
    for status, priority in product(get_args(Status), (None, *get_args(Priority))):
        text = _TEXT if priority else None
        await db.execute(_INSERT, USER, f"{_TEXT} {status}", text, status, priority, None)


@pytest.mark.parametrize("door", ["sessions", "user tasks"])
async def test_a_task_looks_the_same_in_a_list_and_alone(
    client: AsyncClient, db: Connection, door: str
) -> None:
    await fill(db)
    headers, path = acting_for(USER), "/api/tasks"
    if door == "user tasks":
        headers, path = bearer(USER), f"/api/{USER}/tasks"
    listed: Any = (await client.get(path, headers=headers)).json()
    tasks = listed if isinstance(listed, list) else listed["tasks"]
    assert len(tasks) == len(get_args(Status)) * (1 + len(get_args(Priority)))
    for task in tasks:
        alone = (await client.get(f"{path}/{task['id']}", headers=headers)).json()
        assert list(task.items()) == list(alone.items())
