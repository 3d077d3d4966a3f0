"""What agents are shown: the actions of their key, and for whom they act."""

import re
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, Tool

from app.commands.registry import ACTION_HANDLERS, actions, commands
from app.services import Connection
from tests.conftest import SERVICE_HEADERS
from tests.support.agents import (
    ERAS,
    FOR_USER,
    HANDSHAKE,
    agent,
    agent_key,
    data_of,
    guided,
    options,
    refused,
)

COMBINATORS = {"anyOf", "oneOf", "allOf", "not", "$ref", "$defs"}


async def tools_of(app: FastAPI, headers: dict[str, str], era: str = ERAS[0]) -> list[Tool]:
    async with agent(app, era, headers) as client:
        return (await client.list_tools()).tools


@pytest.mark.parametrize("era", ERAS)
async def test_the_tools_are_the_actions_of_the_key(
    app: FastAPI, client: AsyncClient, era: str
) -> None:
    listed = await client.get("/actions", headers=SERVICE_HEADERS)
    entries: list[dict[str, Any]] = listed.json()["tools"]
    tools = await tools_of(app, FOR_USER, era)
    assert [tool.name for tool in tools] == [one.name for one in commands() if not one.by_name]
    for tool, entry in zip(tools, entries, strict=True):
        assert (tool.name, tool.title) == (entry["name"], entry["title"])
        assert (tool.description or "").startswith(entry["description"])
        assert tool.input_schema["properties"] == entry["inputSchema"].get("properties", {})
        assert (tool.output_schema or {})["properties"] == entry["outputSchema"]["properties"]
        assert tool.annotations is not None
        hints = tool.annotations.model_dump(by_alias=True, exclude_none=True)
        assert hints == entry["annotations"]


def names_in(schema: Any) -> set[str]:
    """The names of all members, however deep."""
    members = schema.values() if isinstance(schema, dict) else schema
    own = set(schema) if isinstance(schema, dict) else set()
    return own.union(*(names_in(one) for one in members if isinstance(one, dict | list)))


@pytest.mark.parametrize("headers", [FOR_USER, SERVICE_HEADERS])
async def test_their_schemas_are_objects_that_stand_for_themselves(
    app: FastAPI, headers: dict[str, str]
) -> None:
    for tool in await tools_of(app, headers):
        for schema in (tool.input_schema, tool.output_schema or {}):
            assert schema["type"] == "object", tool.name
            assert not COMBINATORS & set(schema), tool.name
            assert "$ref" not in names_in(schema), tool.name


@pytest.mark.usefixtures("client")
async def test_a_restricted_key_is_shown_what_it_may_call_and_called_by_any_other_name_refused(
    app: FastAPI, db: Connection
) -> None:
    headers = await agent_key(db, scopes=["tasks:read"])
    readable = [action.name for action in commands() if action.scope == "tasks:read"]
    everybodys = [action.name for action in commands() if action.scope is None]
    assert {tool.name for tool in await tools_of(app, headers)} == {*readable, *everybodys}
    async with agent(app, headers={**headers, "X-User-ID": "user_123"}) as client:
        assert data_of(await client.call_tool("list-tasks", {}))["count"] == 0
        refusal = refused(await client.call_tool("create-task", {"title": "Feed cat"}))
        assert refusal == "Missing scope: tasks:write"


@pytest.mark.usefixtures("client")
async def test_without_a_user_every_tool_wants_one(app: FastAPI) -> None:
    for tool in await tools_of(app, SERVICE_HEADERS):
        action = ACTION_HANDLERS[tool.name]
        taken = "user_id" in action.payload.model_fields  # type: ignore[union-attr]
        name = "acting_user_id" if taken else "user_id"
        assert name in tool.input_schema["properties"], tool.name
        assert name in tool.input_schema["required"], tool.name


@pytest.mark.usefixtures("client")
async def test_a_key_of_one_user_needs_to_name_nobody(app: FastAPI, db: Connection) -> None:
    headers = await agent_key(db, user_ids=["user_7"])
    async with agent(app, headers=headers) as client:
        tools = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
        assert "user_id" not in tools["create-task"]["properties"]
        assert data_of(await client.call_tool("create-task", {"title": "x"}))["user_id"] == "user_7"
    async with agent(app, headers={**headers, "X-User-ID": "user_8"}) as client:
        refusal = refused(await client.call_tool("create-task", {"title": "x"}))
        assert refusal == "The key does not act for this user"


@pytest.mark.usefixtures("client")
async def test_a_key_of_two_users_has_to_name_one_of_them(app: FastAPI, db: Connection) -> None:
    async with agent(app, headers=await agent_key(db, user_ids=["user_7", "user_8"])) as client:
        named = {"title": "x", "user_id": "user_8"}
        assert data_of(await client.call_tool("create-task", named))["user_id"] == "user_8"
        missing = refused(await client.call_tool("create-task", {"title": "x"}))
        assert missing == "Missing required field: user_id"
        foreign = refused(await client.call_tool("create-task", {**named, "user_id": "user_9"}))
        assert foreign == "The key does not act for this user"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.usefixtures("client")
async def test_a_tool_acts_for_the_user_who_is_named(app: FastAPI, era: str) -> None:
    async with agent(app, era, SERVICE_HEADERS) as client:
        made = await client.call_tool("create-task", {"user_id": "maría", "title": "Feed cat"})
        assert data_of(made)["user_id"] == "maría"
        missing = await client.call_tool("create-task", {"title": "Feed cat"})
        assert refused(missing) == "Missing required field: user_id"
        empty = await client.call_tool("create-task", {"user_id": "", "title": "Feed cat"})
        assert refused(empty).startswith("user_id: ")


@pytest.mark.usefixtures("client")
async def test_a_payloads_own_user_is_not_the_acting_one(app: FastAPI) -> None:
    contact = {"name": "María", "email": "maria@example.com", "company": "Azollon"}
    call = {"title": "Onboarding", "scheduled_for": "2030-01-01T10:00:00Z"}
    async with agent(app, headers=SERVICE_HEADERS) as client:
        stored = data_of(await client.call_tool("create-contact", {"user_id": "u", **contact}))
        named = {"acting_user_id": "u", "user_id": stored["id"]}
        scheduled = await client.call_tool("schedule-call", {**named, **call})
        assert data_of(scheduled)["user_id"] == stored["id"]
        refusal = await client.call_tool("schedule-call", {"user_id": stored["id"], **call})
        assert refused(refusal) == "Missing required field: acting_user_id"


@pytest.mark.usefixtures("client")
async def test_a_user_of_the_header_is_nobodys_argument(app: FastAPI) -> None:
    headers = {**SERVICE_HEADERS, "X-User-ID": "maría"}
    async with agent(app, headers=headers) as client:
        assert data_of(await client.call_tool("create-task", {"title": "x"}))["user_id"] == "maría"
        another = await client.call_tool("create-task", {"title": "x", "user_id": "else"})
        assert refused(another) == "Unknown field: user_id"


async def test_what_destroys_is_annotated_and_can_be_tried(
    app: FastAPI, client: AsyncClient
) -> None:
    additive = {
        *("create-task", "create-category", "create-contact"),
        *("restore-task", "assign-category", "schedule-call"),
    }
    destructive = {action.name for action in actions() if action.writes} - additive
    tools = {tool.name: tool.annotations for tool in await tools_of(app, FOR_USER)}
    marked = {name for name, hints in tools.items() if hints and hints.destructive_hint}
    assert marked == destructive & set(tools)
    assert marked >= {"delete-task", "undo", "batch", "update-task", "unassign-category"}
    assert not any(action.outside for action in commands() if action.destructive)
    async with agent(app) as tool_user:
        task = data_of(await tool_user.call_tool("create-task", {"title": "Feed cat"}))
        named = {"task_id": task["id"]}
        tried = await tool_user.call_tool("delete-task", named, meta=options(dry_run=True))
        assert data_of(tried)["deleted_id"] == task["id"]
        assert (tried.meta or {})["dry_run"] is True
        assert data_of(await tool_user.call_tool("get-task", named)) == task


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.usefixtures("client")
async def test_the_guide_and_the_prompt_name_tools_that_there_are(app: FastAPI, era: str) -> None:
    async with agent(app, era) as client:
        (resource,) = (await client.list_resources()).resources
        (content,) = (await client.read_resource(resource.uri)).contents
        (prompt,) = (await client.list_prompts()).prompts
        said = await client.get_prompt(prompt.name, {"day": "2026-12-14"})
    assert (resource.title, prompt.title) == (
        "How to plan a day with this service",
        "Plan my day",
    )
    assert set(guided(content.text)) >= {"list-tasks", "get-mood", "undo"}  # type: ignore[union-attr]
    assert "2026-12-14" in str(said.messages[0].content)
    assert resource.uri in str(said.messages[0].content)


@pytest.mark.parametrize(
    ("scopes", "named"),
    [
        (["tasks:read"], {"list-tasks"}),
        (["stats:read"], {"get-mood"}),
        (["list-tasks", "update-task"], {"list-tasks", "update-task"}),
        (["categories:read"], set()),
    ],
)
@pytest.mark.usefixtures("client")
async def test_the_guide_and_the_prompt_name_only_what_the_key_may_call(
    app: FastAPI, db: Connection, scopes: list[str], named: set[str]
) -> None:
    async with agent(app, headers=await agent_key(db, scopes=scopes)) as client:
        (content,) = (await client.read_resource("guide://planning")).contents
        said = await client.get_prompt("plan-my-day", {})
    text = content.text  # type: ignore[union-attr]
    assert set(guided(text)) == named
    assert set(guided(said.messages[0].content.text)) <= named  # type: ignore[union-attr]
    assert re.findall(r"^([0-9]+)\.", text, re.MULTILINE)[0] == "1"


@pytest.mark.parametrize("listing", ["list_tools", "list_resources", "list_prompts"])
@pytest.mark.parametrize("cursor", ["", "eyJwYWdlIjoyfQ=="])
@pytest.mark.usefixtures("client")
async def test_a_cursor_that_nobody_was_told_is_refused(
    app: FastAPI, listing: str, cursor: str
) -> None:
    async with agent(app) as client:
        with pytest.raises(MCPError, match="There is no such cursor") as refusal:
            await getattr(client, listing)(cursor=cursor)
    assert refusal.value.code == INVALID_PARAMS


@pytest.mark.usefixtures("client")
async def test_what_there_is_not_is_an_error_of_the_protocol(app: FastAPI) -> None:
    async with agent(app, HANDSHAKE) as client:
        with pytest.raises(Exception, match="no such resource"):
            await client.read_resource("guide://nothing")
        with pytest.raises(Exception, match="no such prompt"):
            await client.get_prompt("nothing")
