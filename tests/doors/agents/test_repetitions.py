"""Whether a repeated call has a further effect, which a tool says of itself."""

from typing import Any

import pytest
from fastapi import FastAPI
from mcp import Client

from tests.support.agents import agent, data_of


async def state_of(client: Client) -> list[Any]:
    reads = ("list-changes", "list-tasks", "list-categories", "get-preferences")
    return [data_of(await client.call_tool(name, {})) for name in reads]


async def is_idempotent(client: Client, name: str, arguments: dict[str, Any]) -> bool:
    """Whether a second call, after one that succeeds, changes nothing."""
    data_of(await client.call_tool(name, arguments))
    once = await state_of(client)
    await client.call_tool(name, arguments)
    return once == await state_of(client)


@pytest.mark.usefixtures("client")
async def test_what_says_that_a_repetition_has_no_effect_has_none(app: FastAPI) -> None:
    async with agent(app) as client:
        hints = {tool.name: tool.annotations for tool in (await client.list_tools()).tools}
        task = data_of(await client.call_tool("create-task", {"title": "Feed cat"}))
        category = data_of(await client.call_tool("create-category", {"name": "Litter"}))
        command = {"id": "1", "action": "create-task", "payload": {"title": "Feed dog"}}
        task_id, category_id = {"task_id": task["id"]}, {"category_id": category["id"]}
        for name, arguments in (
            ("create-task", {"title": "Feed dog"}),
            ("create-category", {"name": "Food"}),
            ("assign-category", {**task_id, **category_id}),
            ("unassign-category", {**task_id, **category_id}),
            ("delete-category", category_id),
            ("set-preferences", {"time_zone": "Europe/Berlin"}),
            ("delete-task", {**task_id, "permanent": False}),
            ("restore-task", task_id),
            ("update-task", {**task_id, "status": "completed"}),
            ("batch", {"commands": [command]}),
        ):
            hint = hints[name]
            assert hint is not None
            assert hint.idempotent_hint is await is_idempotent(client, name, arguments), name


@pytest.mark.usefixtures("client")
async def test_what_is_undone_twice_is_undone_once(app: FastAPI) -> None:
    async with agent(app) as client:
        await client.call_tool("create-task", {"title": "Feed cat"})
        assert await is_idempotent(client, "undo", {"sequence": 1})
        (undo,) = (tool for tool in (await client.list_tools()).tools if tool.name == "undo")
    assert undo.annotations is not None
    assert undo.annotations.idempotent_hint is True
