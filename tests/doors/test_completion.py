"""What `/complete` does is told by its body; without one it toggles."""

from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.services import Connection
from tests.conftest import TaskFactory
from tests.doors.test_user_tasks import bearer
from tests.support.people import acting_for

DOORS = {
    "sessions": ("/api/tasks", acting_for("user_123"), 422),
    "user tasks": ("/api/user_123/tasks", bearer(), 400),
}


@pytest.fixture(params=DOORS)
def complete(request: pytest.FixtureRequest, client: AsyncClient) -> Any:
    """Sends PATCH /complete for a task, at each of the doors that have it."""
    path, headers, _ = DOORS[request.param]

    async def complete(task_id: object, **body: Any) -> Response:
        return await client.patch(f"{path}/{task_id}/complete", headers=headers, **body)

    complete.invalid = DOORS[request.param][2]  # type: ignore[attr-defined]
    return complete


def is_completed(answer: Response) -> bool:
    task = answer.json()
    return bool(task.get("completed", task.get("status") == "COMPLETED"))


async def test_a_double_click_that_says_what_it_wants_undoes_nothing(
    complete: Any, make_task: TaskFactory
) -> None:
    task = await make_task()
    for wish in (True, True, False, False, True):
        answer = await complete(task.id, json={"completed": wish})
        assert (answer.status_code, is_completed(answer)) == (200, wish)


async def test_what_else_is_sent_beside_it_does_not_matter(
    complete: Any, make_task: TaskFactory
) -> None:
    answer = await complete((await make_task()).id, json={"completed": True, "title": "x"})
    assert (answer.status_code, is_completed(answer)) == (200, True)
    assert answer.json()["title"] != "x"


@pytest.mark.parametrize("body", [{}, {"json": {}}, {"json": {"completed": None}}])
async def test_who_does_not_say_toggles(
    complete: Any, make_task: TaskFactory, body: dict[str, Any]
) -> None:
    task = await make_task()
    assert [is_completed(await complete(task.id, **body)) for _ in range(3)] == [True, False, True]


async def test_not_completed_leaves_an_open_task_as_it_is(
    complete: Any, make_task: TaskFactory, db: Connection
) -> None:
    task = await make_task(status="in_progress")
    assert is_completed(await complete(task.id, json={"completed": False})) is False
    stored = await db.fetchrow("SELECT status, version FROM tasks WHERE id = $1", task.id)
    assert tuple(stored or ()) == ("in_progress", 1)


@pytest.mark.parametrize(
    "body",
    [
        *({"json": {"completed": "true"}}, {"json": {"completed": 1}}, {"json": [True]}),
        *({"content": b"{"}, {"content": b"completed=true"}),
    ],
)
async def test_a_body_that_cannot_be_understood_changes_nothing(
    complete: Any, make_task: TaskFactory, db: Connection, body: dict[str, Any]
) -> None:
    task = await make_task()
    assert (await complete(task.id, **body)).status_code == complete.invalid
    assert await db.fetchval("SELECT version FROM tasks WHERE id = $1", task.id) == 1
