"""The tasks of the accounts door: requests as its document prints them, rules, refusals."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

from app.services import Connection
from tests.conftest import MISSING_ID, Execute, TaskFactory
from tests.support.accounts import bearer

HOLDER = str(uuid4())
MEMBERS = [
    *("id", "title", "description", "due_date", "priority", "status", "created_at"),
    *("updated_at", "version", "categories"),
]
FORBIDDEN = {"detail": "You don't have permission to access this", "code": "forbidden"}
FUTURE = "2126-11-20T10:00:00Z"

Ask = Callable[..., Awaitable[Response]]


@pytest.fixture
def ask(client: AsyncClient, db: Connection) -> Ask:
    """Sends a request below /api/v1/tasks for an account, by default that of HOLDER."""

    async def ask(method: str, path: str = "", user_id: str = HOLDER, **request: Any) -> Response:
        url = f"/api/v1/tasks{path}"
        headers = await bearer(db, user_id)
        return await client.request(method, url, headers=headers, **request)

    return ask


async def create(ask: Ask, **fields: Any) -> dict[str, Any]:
    answer = await ask("POST", json={"title": "Feed cat", **fields})
    assert answer.status_code == 201
    task: dict[str, Any] = answer.json()
    return task


async def titles(ask: Ask, **query: Any) -> list[str]:
    answer = await ask("GET", params=query)
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["items"]]


async def test_every_request_of_the_document_answers_as_printed(ask: Ask) -> None:
    new = {"title": "Buy food", "description": "Salmon", "due_date": FUTURE, "priority": "high"}
    created = await create(ask, **new)
    assert list(created) == MEMBERS
    assert created == {**created, **new, "status": "pending", "version": 1, "categories": []}
    path = f"/{created['id']}"
    assert (await ask("GET", path)).json() == created
    listed = await ask("GET")
    assert listed.json() == {"items": [created], "total": 1, "page": 1, "limit": 20}

    changes = {"title": "Buy more", "status": "completed", "due_date": None, "version": 1}
    changed = await ask("PATCH", path, json=changes)
    assert changed.status_code == 200
    updated_at = changed.json()["updated_at"]
    assert changed.json() == {**created, **changes, "version": 2, "updated_at": updated_at}

    deleted = await ask("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await ask("GET", path)).status_code == 404
    assert (await ask("GET")).json()["total"] == 0


async def test_a_new_task_has_medium_priority(ask: Ask) -> None:
    assert (await create(ask))["priority"] == "medium"


async def test_a_task_shows_its_categories_everywhere(
    ask: Ask, client: AsyncClient, db: Connection
) -> None:
    task = await create(ask)
    headers = await bearer(db, HOLDER)
    new = await client.post("/api/v1/categories", json={"name": "Food"}, headers=headers)
    category = new.json()
    assigned = await ask("POST", f"/{task['id']}/categories/{category['id']}")
    label = {name: category[name] for name in ("id", "name", "color")}
    assert (assigned.json()["categories"], assigned.json()["version"]) == ([label], 2)
    assert (await ask("GET", f"/{task['id']}")).json() == assigned.json()
    assert (await ask("GET")).json()["items"] == [assigned.json()]
    changed = await ask("PATCH", f"/{task['id']}", json={"version": 2, "title": "Feed both"})
    assert changed.json()["categories"] == [label]


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "ab"},
        {"title": "a" * 201},
        {"title": "   "},
        {"title": None},
        {"title": "Feed\x00cat"},
        {"description": "a" * 2001},
        {"due_date": "2020-01-01T00:00:00Z"},
        {"due_date": 4_000_000_000},
        {"priority": "urgent"},
        {"priority": None},
    ],
)
async def test_a_wrong_field_is_400_and_named(ask: Ask, fields: dict[str, Any]) -> None:
    task = await create(ask)
    body = {"title": "Feed cat", **fields}
    for answer in (
        await ask("POST", json=body),
        await ask("PATCH", f"/{task['id']}", json={**fields, "version": 1}),
    ):
        assert answer.status_code == 400
        assert next(iter(fields)) in answer.json()["detail"]
    assert (await ask("GET")).json()["items"] == [task]


async def test_longest_and_shortest_texts_are_taken(ask: Ask) -> None:
    task = await create(ask, title="a" * 200, description="b" * 2000)
    assert (len(task["title"]), len(task["description"])) == (200, 2000)
    assert (await create(ask, title="abc", description=None))["title"] == "abc"


@pytest.mark.parametrize(
    "body",
    [
        {"title": "Feed dog"},
        {"version": 1},
        {"version": 0, "title": "Feed dog"},
        {"version": None, "title": "Feed dog"},
        {"version": "1", "title": "Feed dog"},
        {"version": True, "title": "Feed dog"},
        {"version": 1, "status": "cancelled"},
        {"version": 1, "status": None},
        [],
    ],
)
async def test_a_wrong_change_is_400(ask: Ask, body: object) -> None:
    task = await create(ask)
    assert (await ask("PATCH", f"/{task['id']}", json=body)).status_code == 400


async def test_a_stale_version_is_409(ask: Ask) -> None:
    path = f"/{(await create(ask))['id']}"
    assert (await ask("PATCH", path, json={"version": 1, "title": "One"})).status_code == 200
    stale = await ask("PATCH", path, json={"version": 1, "title": "Two"})
    assert (stale.status_code, stale.json()) == (
        409,
        {"detail": "The task was changed in the meantime: version 2", "code": "version_conflict"},
    )
    assert (await ask("GET", path)).json()["title"] == "One"


async def test_of_50_parallel_changes_of_one_version_exactly_one_succeeds(
    live_client: AsyncClient, crowd: list[Connection]
) -> None:
    headers = await bearer(crowd[0], HOLDER)
    new = await live_client.post("/api/v1/tasks", json={"title": "Feed cat"}, headers=headers)
    path = f"/api/v1/tasks/{new.json()['id']}"
    answers = await asyncio.gather(
        *(
            live_client.patch(path, json={"version": 1, "title": f"No. {n}"}, headers=headers)
            for n in range(50)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 49}
    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    assert (await live_client.get(path, headers=headers)).json() == won


async def test_a_change_that_cannot_be_answered_is_not_made(
    live_client: AsyncClient, crowd: list[Connection]
) -> None:
    headers = await bearer(crowd[0], HOLDER)
    new = await live_client.post("/api/v1/tasks", json={"title": "Feed cat"}, headers=headers)
    path, change = f"/api/v1/tasks/{new.json()['id']}", {"version": 1, "title": "Feed dog"}
    await crowd[0].execute("ALTER TABLE task_categories RENAME TO elsewhere")
    assert (await live_client.patch(path, json=change, headers=headers)).status_code == 503
    await crowd[0].execute("ALTER TABLE elsewhere RENAME TO task_categories")
    assert (await live_client.get(path, headers=headers)).json() == new.json()
    assert (await live_client.patch(path, json=change, headers=headers)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_foreign_task_is_403_and_a_missing_one_404(
    ask: Ask, make_task: TaskFactory, method: str
) -> None:
    body = {"json": {"version": 1, "title": "Mine"}} if method == "PATCH" else {}
    foreign = await make_task("somebody else")
    refused = await ask(method, f"/{foreign.id}", **body)
    assert (refused.status_code, refused.json()) == (403, FORBIDDEN)
    missing = await ask(method, f"/{MISSING_ID}", **body)
    assert (missing.status_code, missing.json()) == (
        404,
        {"detail": f"Task not found: {MISSING_ID}", "code": "not_found"},
    )
    assert (await ask(method, "/1", **body)).status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_a_token_it_is_401(client: AsyncClient, method: str) -> None:
    answer = await client.request(method, "/api/v1/tasks", json={})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    "query",
    [
        {"page": 0},
        {"page": "x"},
        {"limit": 0},
        {"limit": 101},
        {"status": "cancelled"},
        {"status": ""},
        {"priority": "urgent"},
        {"due_from": "tomorrow"},
        {"due_to": "1700000000"},
        {"sort": "title"},
        {"sort": "--created_at"},
        {"order": "up"},
        {"colour": "red"},
    ],
)
async def test_an_unknown_condition_is_400(ask: Ask, query: dict[str, Any]) -> None:
    answer = await ask("GET", params=query)
    assert (answer.status_code, next(iter(query)) in answer.json()["detail"]) == (400, True)


async def test_lists_are_filtered(ask: Ask, make_task: TaskFactory) -> None:
    await make_task(HOLDER, title="one", status="completed", priority="low")
    await make_task(HOLDER, title="two", priority="high", due_date="2026-01-01T00:00:00Z")
    await make_task(HOLDER, title="three", priority="high", due_date="2026-03-01T00:00:00Z")
    assert await titles(ask, status="completed") == ["one"]
    assert await titles(ask, priority="high") == ["three", "two"]
    assert await titles(ask, due_from="2026-02-01T00:00:00Z") == ["three"]
    assert await titles(ask, due_to="2026-02-01") == ["two"]
    assert await titles(ask, due_to="2026-03-01") == ["three", "two"]
    assert await titles(ask, priority="high", status="completed") == []


async def test_lists_are_sorted(ask: Ask, make_task: TaskFactory, db: Connection) -> None:
    for title, priority, due in (("a", "low", 3), ("b", "high", 1), ("c", "medium", 2)):
        task = await make_task(
            HOLDER, title=title, priority=priority, due_date=f"2026-01-0{due}T00:00:00Z"
        )
        # In one transaction all were created at the same instant.
        await db.execute(
            "UPDATE tasks SET created_at = now() + $2 * interval '1 s' WHERE id = $1",
            task.id,
            ord(title),
        )
    for query, expected in (
        ({}, "cba"),
        ({"sort": "created_at"}, "abc"),
        ({"sort": "-due_date"}, "acb"),
        ({"sort": "due_date"}, "bca"),
        ({"sort": "priority"}, "acb"),
        ({"sort": "priority", "order": "desc"}, "bca"),
        ({"sort": "-priority", "order": "asc"}, "acb"),
        ({"order": "asc"}, "abc"),
    ):
        assert "".join(await titles(ask, **query)) == expected, query


async def test_lists_come_in_pages(ask: Ask, make_task: TaskFactory) -> None:
    made = [(await make_task(HOLDER, title=f"No. {n}")).title for n in range(5)]
    pages = [(await ask("GET", params={"page": n, "limit": 2})).json() for n in (1, 2, 3, 4)]
    assert [page["total"] for page in pages] == [5] * 4
    assert sorted(task["title"] for page in pages for task in page["items"]) == sorted(made)
    assert [len(page["items"]) for page in pages] == [2, 2, 1, 0]
    assert (pages[1]["page"], pages[1]["limit"]) == (2, 2)
    assert await titles(ask, page=2**31 - 1, limit=100) == []


async def test_what_other_doors_write_is_shown_and_changed_here(ask: Ask, execute: Execute) -> None:
    made = await execute("create-task", user_id=HOLDER, title="x" * 400, priority="urgent")
    task_id = made.json()["data"]["id"]
    [shown] = (await ask("GET")).json()["items"]
    assert (shown["id"], shown["title"], shown["priority"]) == (task_id, "x" * 400, "urgent")
    await ask("PATCH", f"/{task_id}", json={"version": 1, "status": "completed"})
    stored = (await execute("get-task", user_id=HOLDER, task_id=task_id)).json()["data"]
    assert (stored["status"], stored["completed_at"] is not None) == ("completed", True)
    assert (await ask("DELETE", f"/{task_id}")).status_code == 204
    assert (await execute("get-task", user_id=HOLDER, task_id=task_id)).status_code == 404
    restored = await execute("restore-task", user_id=HOLDER, task_id=task_id)
    assert restored.json()["data"]["id"] == task_id
    assert (await ask("GET", f"/{task_id}")).json()["version"] == 4
