"""What the options of the envelope do: include, strict, installation_id."""

from typing import Any

import pytest
from httpx import AsyncClient

from app.services import Connection
from tests.conftest import SERVICE_HEADERS, TaskFactory
from tests.support.batches import command, create, send_batch
from tests.support.options import data, send

FIELDS = [
    *("id", "user_id", "title", "description", "status", "priority"),
    *("created_at", "completed_at", "due_date"),
]
EXTRAS = ["tags", "updated_at", "version"]


@pytest.mark.parametrize(
    "options",
    [
        {"include": ["colour"]},
        {"include": "tags"},
        {"strict": "yes"},
        {"strict": 1},
        {"dry_run": "true"},
        {"dry_run": 1},
        {"dry_run": None},
        {"installation_id": ""},
        {"installation_id": "with space"},
        {"installation_id": "x" * 256},
        {"installation_id": 7},
        {"verbose": True},
        {"options": 1, **{f"x{number}": 1 for number in range(10)}},
    ],
)
async def test_a_wrong_option_is_refused_and_nothing_written(
    client: AsyncClient, db: Connection, options: dict[str, Any]
) -> None:
    answer = await send(client, "create-task", {"title": "Feed cat"}, **options)
    assert answer.status_code == 400
    assert next(iter(options)) in answer.json()["detail"]
    assert await db.fetchval("SELECT count(*) FROM tasks") == 0


@pytest.mark.parametrize(
    ("include", "told"),
    [
        ("tags", "include: must be a list"),
        ({"tags": True}, "include: must be a list"),
        # Not one by one.
        (["colour"] * 11_900, "include: List should have at most 10 items"),
    ],
)
async def test_what_is_wrong_with_include_is_told_in_words_of_json(
    client: AsyncClient, include: Any, told: str
) -> None:
    answer = await send(client, "create-task", {"title": "Feed cat"}, include=include)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(told)
    assert len(answer.json()["errors"]) == 1


async def test_what_is_included_stands_beside_the_nine_fields_of_every_task(
    client: AsyncClient,
) -> None:
    created = await data(
        client, "create-task", {"title": "Feed cat", "tags": ["é", 'a"b']}, include=EXTRAS
    )
    assert list(created) == FIELDS + EXTRAS
    assert (created["tags"], created["version"]) == (["é", 'a"b'], 1)
    assert created["updated_at"] == created["created_at"]
    named = {"task_id": created["id"]}
    category = await data(client, "create-category", {"name": "Vet"})
    answers = [
        await data(client, "get-task", named, include=["version", "tags"]),
        await data(client, "update-task", {**named, "title": "x"}, include=["version", "tags"]),
        (await data(client, "list-tasks", {}, include=["version", "tags"]))["tasks"][0],
        (await data(client, "list-tasks", {"limit": 1}, include=["tags", "version"]))["tasks"][0],
    ]
    assert [list(task) for task in answers] == [[*FIELDS, "tags", "version"]] * 4
    assert [task["version"] for task in answers] == [1, 2, 2, 2]
    assigned = await data(
        client, "assign-category", {**named, "category_id": category["id"]}, include=["version"]
    )
    assert (assigned["version"], assigned["categories"][0]["name"]) == (3, "Vet")
    await data(client, "delete-task", {**named, "permanent": False})
    restored = await data(client, "restore-task", named, include=EXTRAS)
    listed = await data(client, "list-tasks", {}, include=EXTRAS)
    assert listed == {"tasks": [restored], "count": 1}


@pytest.mark.parametrize("mode", ["atomic", "independent"])
async def test_what_is_included_stands_in_every_task_that_undo_brings_back(
    client: AsyncClient, mode: str
) -> None:
    named = {"task_id": (await data(client, "create-task", {"title": "Feed cat"}))["id"]}
    await data(client, "update-task", {**named, "title": "x"})
    dry = await data(client, "undo", {"sequence": 2}, include=EXTRAS, dry_run=True)
    batched = await send_batch(
        client, command("k", "undo", sequence=2), mode=mode, include=EXTRAS, dry_run=True
    )
    undone = await data(client, "undo", {"sequence": 2}, include=EXTRAS)
    for answer in (dry, batched.json()["data"]["results"][0]["data"], undone):
        assert answer["undone"] == [2]
        assert [list(task) for task in answer["tasks"]] == [FIELDS + EXTRAS]
    assert undone["tasks"] == [await data(client, "get-task", named, include=EXTRAS)]


async def test_without_include_an_answer_is_as_ever(
    client: AsyncClient, make_task: TaskFactory
) -> None:
    task = await make_task(tags=["home"])
    as_ever: list[dict[str, Any]] = [{}, {"include": []}]
    for options in as_ever:
        for action, payload in (("get-task", {"task_id": str(task.id)}), ("list-tasks", {})):
            shown = await data(client, action, payload, **options)
            assert list(shown["tasks"][0] if "tasks" in shown else shown) == FIELDS


async def test_many_and_long_tags_are_listed_whole(
    client: AsyncClient, make_task: TaskFactory
) -> None:
    tags = [f"{number:03}" + "猫" * 97 for number in range(100)]
    for _ in range(30):
        await make_task(tags=tags)
    listed = await data(client, "list-tasks", {}, include=["tags"])
    assert (listed["count"], {tuple(task["tags"]) for task in listed["tasks"]}) == (
        30,
        {tuple(tags)},
    )


async def test_ignored_members_are_named_and_refused_where_strict(
    client: AsyncClient, db: Connection
) -> None:
    lenient = await send(client, "list-tasks", {"tag": "x", "limt": 3, "é,\n": 1})
    assert lenient.status_code == 200
    assert lenient.headers["X-Ignored-Fields"] == "tag, limt, %C3%A9%2C%0A"
    assert "X-Ignored-Fields" not in (await send(client, "list-tasks", {"limit": 3})).headers
    strict = await send(client, "create-task", {"title": "x", "tag": "y"}, strict=True)
    assert (strict.status_code, strict.json()["detail"]) == (400, "Unknown field: tag")
    assert strict.json()["errors"] == [{"field": "tag", "message": "Unknown field: tag"}]
    assert await db.fetchval("SELECT count(*) FROM tasks") == 0
    assert (await send(client, "create-task", {"title": "x"}, strict=True)).status_code == 200


async def test_many_ignored_members_make_no_long_header(client: AsyncClient) -> None:
    payload = {f"{number}" + "é" * 500: 1 for number in range(200)}
    answer = await send(client, "list-tasks", payload)
    assert len(answer.headers["X-Ignored-Fields"]) < 3000


async def test_a_batch_names_and_refuses_ignored_members_by_command(client: AsyncClient) -> None:
    wrong = create("b", tag="x") | {"options": {}}
    lenient = await send_batch(client, create("a"), wrong)
    assert lenient.headers["X-Ignored-Fields"] == "commands[1].options, commands[1].payload.tag"
    strict = await send_batch(client, create("c"), create("d", tag="x"), strict=True)
    assert (strict.status_code, strict.json()["index"]) == (400, 1)
    alone = await send_batch(
        client, create("c"), create("d", tag="x"), mode="independent", strict=True
    )
    assert [one["status"] for one in alone.json()["data"]["results"]] == [200, 400]


async def test_a_task_that_was_deleted_can_be_listed_and_deleted_for_good(
    client: AsyncClient, db: Connection, make_task: TaskFactory
) -> None:
    task, kept = await make_task(), await make_task()
    named = {"task_id": str(task.id)}
    await data(client, "delete-task", {**named, "permanent": False})
    listed = await data(client, "list-tasks", {"deleted": True})
    assert [one["id"] for one in listed["tasks"]] == [str(task.id)]
    paged = await data(client, "list-tasks", {"deleted": True, "page": 1, "status": "pending"})
    assert (paged["count"], paged["total"]) == (1, 1)
    for payload in ({}, {"deleted": False}, {"deleted": None}):
        others = await data(client, "list-tasks", payload)
        assert [one["id"] for one in others["tasks"]] == [str(kept.id)]
    assert (await send(client, "delete-task", named)).status_code == 404
    deleted = await data(client, "delete-task", {**named, "permanent": True})
    assert deleted == {"success": True, "deleted_id": str(task.id)}
    assert (await data(client, "list-tasks", {"deleted": True}))["count"] == 0
    assert (await send(client, "restore-task", named)).status_code == 404
    assert await db.fetchval("SELECT count(*) FROM tasks") == 1


async def test_a_page_of_another_origin_may_read_what_answers_carry(client: AsyncClient) -> None:
    origin = {"Origin": "http://localhost:3000"}
    answer = await client.post("/execute", json={}, headers={**SERVICE_HEADERS, **origin})
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {
        *("Idempotency-Replayed", "Retry-After", "RateLimit", "RateLimit-Policy"),
        *("ETag", "X-Ignored-Fields"),
    }
