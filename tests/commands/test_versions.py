"""Optimistic locking, and deletions that can be taken back."""

import asyncio
from collections import Counter

import pytest
from httpx import AsyncClient

from app.services import Connection, tasks
from tests.conftest import MISSING_ID, SERVICE_HEADERS, Execute, TaskFactory


async def test_update_with_the_present_version_is_performed(
    execute: Execute, make_task: TaskFactory
) -> None:
    task = await make_task()
    answer = await execute("update-task", task_id=str(task.id), title="New", expected_version=1)
    assert answer.json()["data"]["title"] == "New"


async def test_update_with_another_version_is_a_conflict_and_changes_nothing(
    db: Connection, execute: Execute, make_task: TaskFactory
) -> None:
    task = await make_task()
    answer = await execute("update-task", task_id=str(task.id), title="New", expected_version=2)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "The task was changed in the meantime: version 1"
    assert await tasks.fetch_task(db, task.id, None) == task
    missing = await execute("update-task", task_id=str(MISSING_ID), title="New", expected_version=2)
    assert missing.status_code == 404


@pytest.mark.parametrize("version", ["1", True, 0, 1.5])
async def test_expected_version_is_a_whole_number(
    execute: Execute, make_task: TaskFactory, version: object
) -> None:
    task = await make_task()
    answer = await execute(
        "update-task", task_id=str(task.id), title="New", expected_version=version
    )
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["expected_version"]


async def test_of_fifty_updates_of_one_version_exactly_one_wins(live_client: AsyncClient) -> None:
    async def perform(action: str, **payload: object) -> tuple[int, dict[str, object]]:
        command = {"action": action, "user_id": "user_123", "payload": payload}
        answer = await live_client.post("/execute", json=command, headers=SERVICE_HEADERS)
        return answer.status_code, answer.json().get("data")

    _, task = await perform("create-task", title="Feed cat")
    answers = await asyncio.gather(
        *(
            perform("update-task", task_id=task["id"], title=str(number), expected_version=1)
            for number in range(50)
        )
    )
    assert Counter(status for status, _ in answers) == {200: 1, 409: 49}


async def test_withdrawn_task_is_gone_until_it_is_restored_as_it_was(
    db: Connection, execute: Execute, make_task: TaskFactory
) -> None:
    task = await make_task(status="completed", tags=["home"])
    named = {"task_id": str(task.id)}
    deleted = await execute("delete-task", **named, permanent=False)
    assert deleted.json()["data"] == {"success": True, "deleted_id": str(task.id)}
    for action in ("get-task", "delete-task"):
        assert (await execute(action, **named)).status_code == 404
    assert (await execute("update-task", **named, title="x")).status_code == 404
    assert (await execute("list-tasks")).json()["data"]["count"] == 0
    assert (await execute("get-stats")).json()["data"]["total_tasks"] == 0
    restored = (await execute("restore-task", **named)).json()["data"]
    assert (restored["title"], restored["completed_at"] is not None) == ("Feed cat", True)
    stored = await tasks.fetch_task(db, task.id, None)
    assert (stored.version, stored.tags, stored.completed_at) == (3, ["home"], task.completed_at)
    log = await db.fetch("SELECT operation FROM changes ORDER BY sequence")
    assert [row["operation"] for row in log] == ["created", "deleted", "restored"]


async def test_only_a_withdrawn_task_can_be_restored(
    execute: Execute, make_task: TaskFactory
) -> None:
    task = await make_task()
    assert (await execute("restore-task", task_id=str(task.id))).status_code == 404
    await execute("delete-task", task_id=str(task.id))
    assert (await execute("restore-task", task_id=str(task.id))).status_code == 404
