from collections.abc import Iterator
from time import process_time
from typing import Any

import pytest
from httpx import AsyncClient
from jsonschema import Draft202012Validator

from app.commands.registry import commands
from app.models.key import NewKey
from app.services import Connection, keys
from tests.conftest import SERVICE_HEADERS, Execute

ALL = [action.name for action in commands() if not action.by_name]


async def tools_of(client: AsyncClient, headers: dict[str, str]) -> list[dict[str, Any]]:
    answer = await client.get("/actions", headers=headers)
    assert answer.status_code == 200
    tools: list[dict[str, Any]] = answer.json()["tools"]
    return tools


@pytest.fixture
async def reader(db: Connection) -> dict[str, str]:
    """Headers of a key that may only read tasks."""
    value = keys.generate("dev", None)
    new = NewKey(key_name="reader", environment="dev", scopes=["tasks:read"])
    await keys.insert_key(db, new, value)
    return {"X-Service-Key": value}


async def test_lists_all_actions_in_the_names_of_mcp(client: AsyncClient) -> None:
    tools = await tools_of(client, SERVICE_HEADERS)
    assert [tool["name"] for tool in tools] == ALL
    for tool in tools:
        assert tool["title"]
        assert tool["description"]
        Draft202012Validator.check_schema(tool["inputSchema"])
        Draft202012Validator.check_schema(tool["outputSchema"])
        assert (tool["inputSchema"]["type"], tool["outputSchema"]["type"]) == ("object", "object")


def members(value: Any) -> Iterator[str]:
    """The names of all members, wherever in it; examples and descriptions are no schemas."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            if name not in {"examples", "example", "default", "const"}:
                yield from members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner)


async def test_schemas_are_objects_without_references_as_tools_must_be(
    client: AsyncClient,
) -> None:
    for tool in await tools_of(client, SERVICE_HEADERS):
        for schema in (tool["inputSchema"], tool["outputSchema"], tool["optionsSchema"]):
            assert schema["type"] == "object", tool["name"]
            assert not {"anyOf", "oneOf", "allOf", "not", "enum", "$ref", "$defs"} & set(schema)
            assert not {"$ref", "$defs"} & set(members(schema)), tool["name"]


async def test_update_task_says_in_words_that_it_wants_one_field(client: AsyncClient) -> None:
    tool = (await client.get("/actions/update-task", headers=SERVICE_HEADERS)).json()
    assert "At least one field must be given: " in tool["inputSchema"]["description"]


@pytest.mark.parametrize(
    ("name", "read_only", "destructive", "idempotent"),
    [
        ("create-task", False, False, False),
        ("list-tasks", True, False, True),
        ("update-task", False, True, False),
        ("delete-task", False, True, True),
        ("restore-task", False, False, True),
        ("undo", False, True, True),
        ("get-stats", True, False, True),
        ("set-preferences", False, True, True),
        ("create-category", False, False, True),
        ("assign-category", False, False, True),
        ("unassign-category", False, True, True),
        ("set-call-status", False, True, True),
        ("batch", False, True, True),
    ],
)
async def test_annotations_say_what_an_action_does(
    client: AsyncClient, name: str, read_only: bool, destructive: bool, idempotent: bool
) -> None:
    tool = (await client.get(f"/actions/{name}", headers=SERVICE_HEADERS)).json()
    assert tool["annotations"] == {
        "title": tool["title"],
        "readOnlyHint": read_only,
        "destructiveHint": destructive,
        "idempotentHint": idempotent,
        "openWorldHint": False,
    }


async def test_examples_fit_the_schema_and_results_too(
    client: AsyncClient, execute: Execute
) -> None:
    tools = {tool["name"]: tool for tool in await tools_of(client, SERVICE_HEADERS)}
    for tool in tools.values():
        for example in tool["examples"]:
            Draft202012Validator(tool["inputSchema"]).validate(example["payload"])
    task = (await execute("create-task", title="Feed cat")).json()["data"]
    answers = {
        "get-task": await execute("get-task", task_id=task["id"]),
        "list-tasks": await execute("list-tasks"),
        "get-stats": await execute("get-stats"),
        "delete-task": await execute("delete-task", task_id=task["id"]),
    }
    for name, answer in answers.items():
        Draft202012Validator(tools[name]["outputSchema"]).validate(answer.json()["data"])


async def test_restricted_key_sees_only_what_it_may_call(
    client: AsyncClient, reader: dict[str, str]
) -> None:
    names = [tool["name"] for tool in await tools_of(client, reader)]
    assert names == ["list-tasks", "get-task", "list-changes", "batch"]
    assert (await client.get("/actions/get-task", headers=reader)).status_code == 200


async def test_one_action_is_the_entry_of_the_list(client: AsyncClient) -> None:
    for tool in await tools_of(client, SERVICE_HEADERS):
        answer = await client.get(f"/actions/{tool['name']}", headers=SERVICE_HEADERS)
        assert (answer.status_code, answer.json()) == (200, tool)


async def test_unknown_action_and_forbidden_one_are_the_same_404(
    client: AsyncClient, reader: dict[str, str]
) -> None:
    unknown = await client.get("/actions/fly-to-moon", headers=reader)
    forbidden = await client.get("/actions/create-task", headers=reader)
    assert (unknown.status_code, forbidden.status_code) == (404, 404)
    assert unknown.json() == forbidden.json()


@pytest.mark.parametrize("path", ["/actions", "/actions/get-task"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', 'W/"other",W/{}', "*"])
async def test_known_etag_is_304_without_a_body(client: AsyncClient, path: str, form: str) -> None:
    etag = (await client.get(path, headers=SERVICE_HEADERS)).headers["etag"]
    answer = await client.get(path, headers={**SERVICE_HEADERS, "If-None-Match": form.format(etag)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("tag", ['"other"', "", "other"])
async def test_other_etag_gets_the_catalogue(client: AsyncClient, tag: str) -> None:
    answer = await client.get("/actions", headers={**SERVICE_HEADERS, "If-None-Match": tag})
    assert answer.status_code == 200
    assert len(answer.json()["tools"]) == len(ALL)


async def test_etag_differs_where_the_key_may_do_less(
    client: AsyncClient, reader: dict[str, str]
) -> None:
    every = (await client.get("/actions", headers=SERVICE_HEADERS)).headers["etag"]
    answer = await client.get("/actions", headers={**reader, "If-None-Match": every})
    assert answer.status_code == 200
    assert "X-Service-Key" in answer.headers["vary"]


@pytest.mark.parametrize("path", ["/actions", "/actions/get-task", "/actions/unknown"])
async def test_without_a_key_is_401(client: AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Invalid or expired service key"}


async def test_the_catalogue_is_not_made_anew_for_each_answer(client: AsyncClient) -> None:
    costs = {}
    for path in ("/health/live", "/actions", "/actions/get-task"):
        await client.get(path, headers=SERVICE_HEADERS)
        started = process_time()
        for _ in range(20):
            assert (await client.get(path, headers=SERVICE_HEADERS)).status_code == 200
        costs[path] = process_time() - started
    assert max(costs.values()) < 12 * costs["/health/live"]
