"""A call is a command like any other."""

import asyncio
from time import process_time
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from jsonschema import Draft202012Validator

from app.commands.action import Context, action
from app.commands.payloads import AnyPayload
from app.commands.registry import ACTION_HANDLERS
from app.database.usage import Usage
from app.http import request_log
from app.models.key import NewKey
from app.services import Connection, keys
from tests.conftest import (
    ADMIN_HEADERS,
    MISSING_ID,
    OPEN_DOORS,
    SERVICE_HEADERS,
    Execute,
    Figure,
)
from tests.support.agents import (
    ERAS,
    agent,
    data_of,
    options,
    refused,
    request,
    send,
    send_modern,
    texts_of,
)
from tests.support.application import talking_to
from tests.support.batches import create
from tests.support.log_lines import lines_of


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.usefixtures("client")
async def test_data_fits_the_schema_and_is_told_as_text_too(app: FastAPI, era: str) -> None:
    async with agent(app, era) as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        made = data_of(await client.call_tool("create-task", {"title": "Feed cat"}))
        named = {"task_id": made["id"]}
        for name, arguments in (
            ("get-task", named),
            ("update-task", {**named, "priority": "high"}),
            ("list-tasks", {}),
            ("list-changes", {}),
            ("get-stats", {}),
            ("get-mood", {}),
            ("delete-task", {**named, "permanent": False}),
        ):
            result = await client.call_tool(name, arguments)
            Draft202012Validator(schemas[name] or False).validate(data_of(result))
            assert Draft202012Validator({}).is_valid(texts_of(result)[0])


@pytest.mark.usefixtures("client")
async def test_data_is_that_of_the_command(app: FastAPI, execute: Execute) -> None:
    async with agent(app) as client:
        made = data_of(await client.call_tool("create-task", {"title": "Feed cat"}))
    assert (await execute("get-task", task_id=made["id"])).json()["data"] == made


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("create-task", {}, "Missing required field: title"),
        ("create-task", {"title": "x", "due": "tomorrow"}, "Unknown field: due"),
        ("get-task", {"task_id": "7"}, "Invalid UUID format for task_id"),
        ("get-task", {"task_id": str(MISSING_ID)}, f"Task not found: {MISSING_ID}"),
        ("fly", {}, "Unknown action: fly"),
        ("fl\ud800y", {}, None),
        ("create-task", {"title": "\ud800"}, None),
        ("batch", {"commands": [{"id": "1", "action": "fly"}]}, "commands[0]: Unknown action: fly"),
    ],
)
async def test_a_refusal_is_a_sentence_that_names_the_field(
    client: AsyncClient, era: str, tool: str, arguments: dict[str, Any], sentence: str | None
) -> None:
    if era == ERAS[0] and tool.isascii():  # which a header can name
        answer = await send_modern(client, "tools/call", tool, arguments=arguments)
    else:
        answer = await send(client, request("tools/call", name=tool, arguments=arguments))
    assert answer.status_code == 200
    result = answer.json()["result"]
    assert result["isError"] is True
    assert "structuredContent" not in result
    (content,) = result["content"]
    assert content["text"] == (sentence or content["text"])
    assert result["_meta"]["error"]["status"] in {400, 404}


async def test_a_fault_tells_nothing_and_is_logged(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    @action(scope="tasks:read")
    async def fail(context: Context, payload: AnyPayload) -> AnyPayload:
        """Fails."""
        raise RuntimeError("secret of the house")

    monkeypatch.setitem(ACTION_HANDLERS, "fail", fail)
    from app import logs

    lines = lines_of(logs, monkeypatch)
    answer = await send(client, request("tools/call", name="fail"))
    result = answer.json()["result"]
    assert (result["isError"], result["content"][0]["text"]) == (True, "Internal server error")
    assert "secret" not in answer.text
    assert [line["event"] for line in lines] == ["unexpected_error"]


@pytest.mark.usefixtures("client")
async def test_a_call_sent_again_under_its_key_has_one_effect(app: FastAPI) -> None:
    again = options(idempotency_key="1732190000000-k3j9x")
    async with agent(app) as client:
        first = await client.call_tool("create-task", {"title": "Feed cat"}, meta=again)
        second = await client.call_tool("create-task", {"title": "Feed cat"}, meta=again)
        other = await client.call_tool("create-task", {"title": "Feed dog"}, meta=again)
        listed = data_of(await client.call_tool("list-tasks", {}))
    assert data_of(first) == data_of(second)
    assert "replayed" not in (first.meta or {})
    assert (second.meta or {})["replayed"] is True
    assert refused(other) == "The idempotency key was used for another command"
    assert listed["count"] == 1


@pytest.mark.parametrize("meta", [{"dry_run": "yes"}, {"idempotency_key": 7}, {"include": "x"}])
@pytest.mark.usefixtures("client")
async def test_an_option_that_is_wrong_is_named_and_nothing_is_done(
    app: FastAPI, meta: dict[str, Any]
) -> None:
    async with agent(app) as client:
        refusal = refused(
            await client.call_tool("create-task", {"title": "x"}, meta=options(**meta))
        )
        assert refusal.startswith(next(iter(meta)))
        assert data_of(await client.call_tool("list-tasks", {}))["count"] == 0


@pytest.fixture
def lines(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The lines about requests, as they are logged."""
    logged: list[dict[str, Any]] = []
    app.middleware_stack = stack = app.build_middleware_stack()
    assert isinstance(stack, request_log.RequestLog)
    monkeypatch.setattr(
        stack, "_logger", type("Log", (), {"info": lambda _, __, **line: logged.append(line)})()
    )
    return logged


@pytest.mark.parametrize(
    ("name", "headers", "action"),
    [
        ("create-task", SERVICE_HEADERS, "create-task"),
        ("create-task", {**SERVICE_HEADERS, "X-User-ID": ""}, "create-task"),
        ("fly" * 100, SERVICE_HEADERS, "unknown"),
    ],
)
async def test_a_call_that_names_no_user_is_logged_and_counted_by_its_action(
    client: AsyncClient,
    app: FastAPI,
    lines: list[dict[str, Any]],
    name: str,
    headers: dict[str, str],
    action: str,
) -> None:
    await send(client, request("tools/call", name=name), headers)
    (line,) = lines
    assert (line["action"], line["outcome"]) == (name[:100], 400)
    assert "user_id" not in line
    ((_, _, counted),) = app.state.resources[Usage]._counts
    assert counted == action


async def test_the_line_says_which_door_action_and_user_and_a_refusal_counts_as_one(
    client: AsyncClient, app: FastAPI, lines: list[dict[str, Any]]
) -> None:
    await send(client, request("tools/call", name="get-task", arguments={"task_id": "7"}))
    await send(client, request("tools/call", name="get-stats"))
    (refused_call, call) = lines
    assert (call["door"], call["action"], call["user_id"]) == ("agents", "get-stats", "user_123")
    assert (call["status"], call["key_name"]) == (200, "cat-house-dev")
    assert "outcome" not in call
    assert refused_call["outcome"] == 400
    counts = app.state.resources[Usage]._counts
    assert {name: count for (_, _, name), count in counts.items()} == {
        "get-task": [0, 1, 0],
        "get-stats": [1, 0, 0],
    }


async def test_a_call_too_many_is_a_refusal_and_counts_with_commands(database_url: str) -> None:
    settings = {**OPEN_DOORS, "execute_rate_limit": "3/minute"}
    async with talking_to(database_url, **settings) as client:
        command = {"action": "get-stats", "user_id": "user_123"}
        assert (await client.post("/execute", json=command, headers=SERVICE_HEADERS)).is_success
        for expected in (False, False, True):
            answer = await send(client, request("tools/call", name="get-stats"))
            assert answer.json()["result"]["isError"] is expected
        sentence = answer.json()["result"]["content"][0]["text"]
        assert sentence.startswith("Too many requests; try again in ")
        listing = await send(client, request("tools/list", "seven"))
        assert listing.json()["id"] == "seven"
        assert listing.status_code == 429
        assert int(listing.headers["retry-after"]) > 0
        assert listing.json()["error"]["data"]["code"] == "too_many_requests"


async def test_a_batch_counts_as_its_commands(database_url: str) -> None:
    async with talking_to(database_url, **OPEN_DOORS, execute_rate_limit="4/minute") as client:
        passed, refused_batch = [
            (await send(client, request("tools/call", name="batch", arguments=batch))).json()
            for batch in ({"commands": [create(f"{name}{n}") for n in range(3)]} for name in "ab")
        ]
        assert passed["result"]["structuredContent"]["applied"] == 3
        sentence = refused_batch["result"]["content"][0]["text"]
        assert sentence == "Too many requests; try again in 60 s"
        stats = await client.get("/stats?user_id=user_123", headers=SERVICE_HEADERS)
        assert stats.json()["total_tasks"] == 3


async def test_sixteen_calls_at_once_are_answered_each_by_its_own(database_url: str) -> None:
    async with talking_to(database_url, **OPEN_DOORS) as client:
        calls = [
            send(client, request("tools/call", number, name="create-task", arguments={"title": t}))
            for number, t in enumerate(map(str, range(16)))
        ]
        answers = [answer.json() for answer in await asyncio.gather(*calls)]
    told = [(a["id"], a["result"]["structuredContent"]["title"]) for a in answers]
    assert told == [(number, str(number)) for number in range(16)]


@pytest.mark.parametrize(
    "revoked", [{"user_id": "user_123"}, {"installation_id": "phone"}, {"key_name": "agent"}]
)
async def test_what_is_revoked_is_told_so(
    client: AsyncClient, db: Connection, revoked: dict[str, str]
) -> None:
    value = keys.generate("dev", None)
    await keys.insert_key(db, NewKey(key_name="agent", environment="dev"), value)
    headers = {"Authorization": f"Bearer {value}", "X-User-ID": "user_123"}
    revocation = {**revoked, "reason": "lost"}
    made = await client.post("/admin/revocations", json=revocation, headers=ADMIN_HEADERS)
    assert made.status_code == 201
    call = request("tools/call", name="get-stats", _meta={"installation_id": "phone"})
    answer = await send(client, call, headers)
    if "key_name" in revoked:
        assert (answer.status_code, answer.json()["error"]["data"]["status"]) == (403, 403)
    else:
        told = answer.json()["result"]
        assert told["_meta"]["error"] == {"status": 403, "code": "installation_revoked"}
    other = request("tools/call", name="get-stats")
    untouched = await send(client, other, {**SERVICE_HEADERS, "X-User-ID": "user_9"})
    assert untouched.json()["result"]["isError"] is False


async def test_no_message_holds_the_loop(client: AsyncClient, figure: Figure) -> None:
    command = {"action": "create-task", "payload": {"title": "x", "tags": ["y"] * 100}}
    batch = [{"id": str(number), **command} for number in range(101)]  # one too many
    call = request("tools/call", name="batch", arguments={"commands": batch})
    begun = process_time()
    answer = await send(client, call)
    spent = process_time() - begun
    figure(f"{len(answer.request.content)} bytes: {spent * 1000:.0f} ms")
    assert answer.json()["result"]["isError"] is True
    assert spent < 0.2
