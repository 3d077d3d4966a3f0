"""What an action writes is one transaction: one statement, or several with a transaction around."""

import asyncio
from contextlib import suppress

import pytest
from asyncpg.connection import LoggedQuery
from httpx import AsyncClient

from app.commands.action import Action
from app.commands.registry import commands
from app.errors import AppError
from app.models.category import MOST_CATEGORIES
from app.models.task import TaskFields
from app.services import Connection, deletions, tasks
from tests.conftest import SERVICE_HEADERS, CallFactory, ContactFactory, TaskFactory
from tests.services.test_category_races import waiting

ALONE = [
    action
    for action in commands()
    if action.writes and not action.transaction and not action.outside and not action.composite
]


@pytest.mark.parametrize("action", ALONE, ids=lambda action: action.name)
async def test_an_action_without_a_transaction_writes_by_one_statement(
    db: Connection,
    make_task: TaskFactory,
    make_contact: ContactFactory,
    make_call: CallFactory,
    action: Action,
) -> None:
    task, contact = await make_task(), await make_contact()
    call = await make_call(contact)
    ids = {"task_id": str(task.id), "call_id": str(call.id)}
    if action.name == "restore-task":
        await deletions.withdraw_task(db, task.id, None)
    sent: list[str] = []

    def note(query: LoggedQuery) -> None:
        sent.append(query.query)

    for example in action.examples:
        with db.query_logger(note), suppress(AppError):
            named = {name: value for name, value in ids.items() if name in example}
            user_id = str(contact.id) if "call_id" in example else "user_123"
            await action(user_id, {**example, **named}, db)
        await asyncio.sleep(0)  # the loggers are called soon
        assert len(sent) == 1, sent
        sent.clear()


async def test_side_by_side_nobody_gets_more_categories_than_there_is_room_for(
    live_client: AsyncClient, crowd: list[Connection]
) -> None:
    await crowd[0].execute(
        "INSERT INTO categories (user_id, name, color) "
        "SELECT 'user_123', 'Litter ' || n, '#000000' FROM generate_series(5, $1) AS n",
        MOST_CATEGORIES,
    )

    async def create(number: int) -> int:
        command = {"action": "create-category", "user_id": "user_123"}
        body = {**command, "payload": {"name": f"Vet {number}"}}
        return (await live_client.post("/execute", json=body, headers=SERVICE_HEADERS)).status_code

    statuses = await asyncio.gather(*map(create, range(20)))
    assert sorted(statuses) == [200] * 4 + [409] * 16


async def test_who_is_ended_in_a_deadlock_with_an_older_version_is_asked_to_try_again(
    live_client: AsyncClient, crowd: list[Connection]
) -> None:
    older, observer, *_ = crowd
    task = await tasks.insert_task(observer, "user_123", TaskFields(title="Feed cat"))
    payload = {"task_id": str(task.id), "title": "Feed dog"}
    command = {"action": "update-task", "user_id": "user_123", "payload": payload}
    await older.execute("SET deadlock_timeout = '1min'")  # it is the other one that is ended
    async with older.transaction():
        await older.execute("UPDATE tasks SET title = 'Feed both' WHERE id = $1", task.id)
        updating = asyncio.create_task(
            live_client.post("/execute", json=command, headers=SERVICE_HEADERS)
        )
        await waiting(observer, 1)
        await older.execute("UPDATE change_counts SET last_sequence = last_sequence + 1")
    refused = await updating
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    again = await live_client.post("/execute", json=command, headers=SERVICE_HEADERS)
    assert again.json()["data"]["title"] == "Feed dog"
