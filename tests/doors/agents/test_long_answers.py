"""A language model is never told more than 64 kB at once, and nothing is lost."""

from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from app.services import Connection
from tests.conftest import CallFactory, ContactFactory, TaskFactory
from tests.support.agents import (
    agent,
    agent_key,
    data_of,
    options,
    refused,
    request,
    send,
    texts_of,
)

MOST = 64 * 1024

pytestmark = pytest.mark.usefixtures("client")


async def told(client: AsyncClient, tool: str, **arguments: Any) -> dict[str, Any]:
    """The result of a call, whose whole answer is short enough."""
    answer = await send(client, request("tools/call", name=tool, arguments=arguments))
    assert len(answer.content) <= MOST
    result: dict[str, Any] = answer.json()["result"]
    assert not result["isError"], result
    return result


@pytest.mark.parametrize("length", [0, 1500, 9000])
async def test_a_list_comes_in_pages_that_leave_nothing_out(
    client: AsyncClient, make_task: TaskFactory, length: int
) -> None:
    made = [str((await make_task(title=f"{n}", description='"é' * length)).id) for n in range(30)]
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        data = (await told(client, "list-tasks", limit=100, **cursor))["structuredContent"]
        found += [task["id"] for task in data["tasks"]]
        assert data["count"] == len(data["tasks"])
        if data["next_cursor"] is None:
            break
        cursor = {"cursor": data["next_cursor"]}
    assert sorted(found) == sorted(made)
    assert len(set(found)) == 30


async def test_a_list_that_nobody_asked_for_in_pages_has_pages(
    client: AsyncClient, make_task: TaskFactory
) -> None:
    for number in range(25):
        await make_task(title=str(number))
    data = (await told(client, "list-tasks"))["structuredContent"]
    assert (data["count"], data["next_cursor"] is None) == (20, False)


async def test_a_shortened_page_says_so(client: AsyncClient, make_task: TaskFactory) -> None:
    for number in range(20):
        await make_task(title=str(number), description="x" * 4000)
    result = await told(client, "list-tasks", limit=20)
    count = result["structuredContent"]["count"]
    assert 1 < count < 20
    _, note = result["content"]
    assert note["text"].startswith(f"These are the first {count}: ")


async def test_changes_come_in_pages_too(client: AsyncClient) -> None:
    start = (await told(client, "list-changes"))["structuredContent"]["cursor"]
    for number in range(20):
        await told(client, "create-task", title=str(number), description="x" * 4000)
    seen, more, cursor = 0, True, start
    while more:
        data = (await told(client, "list-changes", cursor=cursor))["structuredContent"]
        seen, more, cursor = seen + len(data["changes"]), data["has_more"], data["cursor"]
    assert seen == 20


@pytest.mark.parametrize(("member", "size"), [("contacts", 100), ("calls", 100), ("calls", 7)])
async def test_contacts_and_calls_come_in_pages_too(
    client: AsyncClient,
    make_contact: ContactFactory,
    make_call: CallFactory,
    member: str,
    size: int,
) -> None:
    for number in range(42):
        contact = await make_contact(name=str(number), notes="é" * 500)
        await make_call(contact, notes="é" * 500)
    found: list[str] = []
    cursor: dict[str, str] = {}
    pages = 0
    while cursor or not pages:
        result = await told(client, f"list-{member}", limit=size, **cursor)
        data, pages = result["structuredContent"], pages + 1
        found += [entry["id"] for entry in data[member]]
        cursor = {"cursor": data["next_cursor"]} if data["next_cursor"] else {}
        assert (len(result["content"]) == 2) == (0 < len(data[member]) < size and bool(cursor))
    assert pages > 1
    assert len(set(found)) == len(found) == 42


async def test_a_text_that_is_too_long_is_cut_and_that_is_said(
    app: FastAPI, make_task: TaskFactory
) -> None:
    task = await make_task(description="é" * 100_000)
    async with agent(app) as client:
        result = await client.call_tool("get-task", {"task_id": str(task.id)})
    description = data_of(result)["description"]
    assert description.endswith("…")
    assert 1000 < len(description) < 10_000
    assert texts_of(result)[1].startswith("Texts of more than 8000 characters are cut")


async def test_a_numbered_page_that_is_too_long_has_cut_texts(
    client: AsyncClient, make_task: TaskFactory
) -> None:
    for number in range(10):
        await make_task(title=str(number), description="x" * 9000)
    data = (await told(client, "list-tasks", page=1, limit=10))["structuredContent"]
    assert (data["count"], data["total"]) == (10, 10)


async def test_many_commands_at_once_are_answered_once(client: AsyncClient) -> None:
    commands = [
        {"id": str(number), "action": "create-task", "payload": {"title": "é" * 300}}
        for number in range(100)
    ]
    result = await told(client, "batch", commands=commands)
    assert len(result["structuredContent"]["results"]) == 100
    assert "structuredContent" in result["content"][0]["text"]


@pytest.mark.parametrize(
    ("first", "dry_run", "beginning", "end"),
    [
        ("get-stats", False, "The answer takes", "ask for less at once, or send"),
        ("set-preferences", False, "It was performed, but", "do not send it again, read what"),
        ("set-preferences", True, "The answer takes", "ask for less at once, or send"),
    ],
)
async def test_what_cannot_be_shortened_says_whether_it_was_performed(
    app: FastAPI, make_task: TaskFactory, first: str, dry_run: bool, beginning: str, end: str
) -> None:
    for number in range(100):
        await make_task(title="é" * 400 + str(number))
    payload = {"day_start": "04:00"} if first == "set-preferences" else {}
    listing = {"action": "list-tasks", "payload": {"limit": 100}}
    commands = [{"id": str(number), **listing} for number in range(10)]
    commands.append({"id": "first", "action": first, "payload": payload})
    async with agent(app) as client:
        called = await client.call_tool(
            "batch", {"commands": commands}, meta=options(dry_run=dry_run)
        )
        preferences = data_of(await client.call_tool("get-preferences", {}))
    sentence = refused(called)
    assert sentence.startswith(beginning)
    assert f" more than 64 kB; {end}" in sentence
    assert (preferences["day_start"] == "04:00") == ("performed" in sentence)


async def test_an_export_that_is_too_long_is_told_where_else_it_is(
    app: FastAPI, client: AsyncClient, db: Connection, make_task: TaskFactory
) -> None:
    for number in range(200):
        await make_task(title=f"{number}")
    headers = {**await agent_key(db, scopes=["users:export"]), "X-User-ID": "user_123"}
    async with agent(app, headers=headers) as tool_user:
        sentence = refused(await tool_user.call_tool("export-user", {}))
    assert sentence == "The answer takes more than 64 kB; send the command to POST /execute"
    key = {"X-Service-Key": headers["Authorization"].removeprefix("Bearer ")}
    command = {"action": "export-user", "user_id": "user_123"}
    answer = await client.post("/execute", json=command, headers=key)
    assert len(answer.json()["data"]["tasks"]) == 200
