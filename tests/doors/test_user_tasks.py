"""The user tasks door: its requests as its document prints them, its tokens, its refusals."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import jwt
import pytest
from httpx import AsyncClient, Response

from app.doors import development_values
from app.models.change import cursor
from app.services import Connection
from tests.conftest import MISSING_ID, Execute, TaskFactory
from tests.services.test_task_lists import fill
from tests.support.accounts import serving

SECRET = development_values()["BETTER_AUTH_SECRET"]
MEMBERS = ["id", "user_id", "title", "description", "completed", "created_at", "updated_at"]

Ask = Callable[..., Awaitable[Response]]


def claims(**changed: object) -> dict[str, object]:
    expiry = datetime.now(UTC) + timedelta(hours=1)
    given = {"sub": "user_123", "exp": expiry, **changed}
    return {name: value for name, value in given.items() if value is not None}


def bearer_token(user_id: str) -> str:
    return jwt.encode(claims(sub=user_id), SECRET, "HS256")


def bearer(user_id: str = "user_123") -> dict[str, str]:
    return {"Authorization": f"Bearer {bearer_token(user_id)}"}


ATTACKS = {
    "no signature": jwt.encode(claims(), "", "none"),
    "another algorithm": jwt.encode(claims(), SECRET.ljust(64, "-"), "HS512"),
    "another key": jwt.encode(claims(), "e" * 32, "HS256"),
    "no subject": jwt.encode(claims(sub=None), SECRET, "HS256"),
    "empty subject": jwt.encode(claims(sub=""), SECRET, "HS256"),
    "expired": jwt.encode(claims(exp=datetime.now(UTC)), SECRET, "HS256"),
    "no expiry": jwt.encode(claims(exp=None), SECRET, "HS256"),
    "no token": "invalid_token",
    "nothing": "",
}


@pytest.fixture
def ask(client: AsyncClient) -> Ask:
    """Sends a request below /api/{user_id}/tasks with that user's token."""

    async def ask(
        method: str, path: str = "", user_id: str = "user_123", **request: Any
    ) -> Response:
        url = f"/api/{user_id}/tasks{path}"
        return await client.request(method, url, headers=bearer(user_id), **request)

    return ask


async def create(ask: Ask, title: str = "Test Task", **fields: Any) -> dict[str, Any]:
    answer = await ask("POST", json={"title": title, **fields})
    assert answer.status_code == 201
    task: dict[str, Any] = answer.json()
    return task


def assert_refused(answer: Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert list(answer.json()) == ["detail", "code"]
    assert answer.json()["code"] == code


async def test_every_request_of_the_document_answers_as_printed(ask: Ask) -> None:
    created = await create(ask, description="Test Description")
    assert list(created) == MEMBERS
    assert (created["user_id"], created["completed"]) == ("user_123", False)
    assert (created["title"], created["description"]) == ("Test Task", "Test Description")
    assert (await ask("GET")).json() == {"tasks": [created], "count": 1}
    path = f"/{created['id']}"
    assert (await ask("GET", path)).json() == created

    updated = (await ask("PUT", path, json={"title": "Updated Task", "completed": True})).json()
    changed = {"title": "Updated Task", "completed": True, "updated_at": updated["updated_at"]}
    assert updated == {**created, **changed}
    assert (await ask("PATCH", f"{path}/complete")).json()["completed"] is False
    assert (await ask("PATCH", f"{path}/complete")).json()["completed"] is True

    deleted = await ask("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await ask("GET")).json() == {"tasks": [], "count": 0}


@pytest.mark.parametrize("token", ATTACKS.values(), ids=ATTACKS)
async def test_a_token_that_is_not_ours_is_401(client: AsyncClient, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".strip()}
    answer = await client.get("/api/user_123/tasks", headers=headers)
    assert_refused(answer, 401, "UNAUTHORIZED")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_without_a_token_it_is_401(client: AsyncClient) -> None:
    assert_refused(await client.post("/api/user_123/tasks"), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("POST", ""),
        ("GET", f"/{MISSING_ID}"),
        ("PUT", f"/{MISSING_ID}"),
        ("DELETE", f"/{MISSING_ID}"),
        ("PATCH", f"/{MISSING_ID}/complete"),
    ],
)
async def test_the_path_of_another_user_is_403(client: AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, f"/api/user_b/tasks{path}", headers=bearer())
    assert_refused(answer, 403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PUT", ""), ("DELETE", ""), ("PATCH", "/complete")],
)
async def test_a_foreign_task_is_403_and_a_missing_one_404(
    ask: Ask, make_task: TaskFactory, method: str, path: str
) -> None:
    for body in ({"title": "Mine"}, {"completed": False}):
        foreign = await make_task("somebody else")
        refused = await ask(method, f"/{foreign.id}{path}", json=body)
        assert_refused(refused, 403, "FORBIDDEN")
        missing = await ask(method, f"/{MISSING_ID}{path}", json=body)
        assert_refused(missing, 404, "NOT_FOUND")
    for no_id in ("1", "nope", "%F0%9F%90%88", "550e8400-e29b-41d4-a716-44665544000g"):
        assert_refused(await ask(method, f"/{no_id}{path}", json=body), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        {"title": ""},
        {"title": "  "},
        {"title": "a" * 201},
        {"title": None},
        {"title": "Feed\x00cat"},
        {"title": "Feed cat", "description": "a" * 1001},
        {},
        [],
    ],
)
async def test_a_wrong_body_is_400(ask: Ask, body: object) -> None:
    task = await create(ask)
    assert_refused(await ask("POST", json=body), 400, "VALIDATION_ERROR")
    assert_refused(await ask("PUT", f"/{task['id']}", json=body), 400, "VALIDATION_ERROR")
    assert (await ask("GET")).json() == {"tasks": [task], "count": 1}


@pytest.mark.parametrize("completed", ["yes", "true", 1, 0, None])
async def test_completed_is_true_or_false_and_nothing_else(ask: Ask, completed: object) -> None:
    task = await create(ask)
    answer = await ask("PUT", f"/{task['id']}", json={"completed": completed})
    assert_refused(answer, 400, "VALIDATION_ERROR")
    assert (await ask("GET")).json() == {"tasks": [task], "count": 1}


async def test_broken_json_is_400(ask: Ask) -> None:
    assert_refused(await ask("POST", content=b"{"), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("query", [{"status": "done"}, {"status": ""}, {"sort": "priority"}])
async def test_an_unknown_condition_is_400(ask: Ask, query: dict[str, str]) -> None:
    assert_refused(await ask("GET", params=query), 400, "VALIDATION_ERROR")


async def test_lists_are_filtered_and_sorted(ask: Ask, db: Connection) -> None:
    for number, (title, status) in enumerate(
        [
            ("banana", "pending"),
            ("Apple", "in_progress"),
            ("date", "cancelled"),
            ("Cherry", "completed"),
        ]
    ):
        await db.execute(
            "INSERT INTO tasks (user_id, title, status, created_at) "
            "VALUES ('user_123', $1, $2, now() + $3 * interval '1 s')",
            title,
            status,
            number,
        )
    for query, expected in (
        ({}, ["Cherry", "date", "Apple", "banana"]),
        ({"status": "all", "sort": "title"}, ["Apple", "banana", "Cherry", "date"]),
        ({"status": "pending"}, ["date", "Apple", "banana"]),
        ({"status": "pending", "sort": "title"}, ["Apple", "banana", "date"]),
        ({"status": "completed", "sort": "created"}, ["Cherry"]),
    ):
        listed = (await ask("GET", params=query)).json()
        assert [task["title"] for task in listed["tasks"]] == expected, query
        assert listed["count"] == len(expected)
        assert {task["completed"] for task in listed["tasks"]} <= {True, False}


async def test_not_completed_reopens_a_completed_task_and_leaves_an_open_one(
    ask: Ask, make_task: TaskFactory, execute: Execute
) -> None:
    begun = await make_task(status="in_progress")
    left = await ask("PUT", f"/{begun.id}", json={"completed": False})
    assert left.json()["completed"] is False
    renamed = await ask("PUT", f"/{begun.id}", json={"completed": False, "title": "Renamed"})
    assert renamed.json()["title"] == "Renamed"
    stored = (await execute("get-task", task_id=str(begun.id))).json()["data"]
    assert (stored["status"], stored["title"]) == ("in_progress", "Renamed")
    told = (await execute("list-changes", cursor=cursor("user_123", 1))).json()["data"]["changes"]
    assert [(one["fields"], one["before"]) for one in told] == [(["title"], {"title": begun.title})]

    done = await make_task(status="completed")
    reopened = await ask("PUT", f"/{done.id}", json={"completed": False})
    assert reopened.json()["completed"] is False
    stored = (await execute("get-task", task_id=str(done.id))).json()["data"]
    assert (stored["status"], stored["completed_at"]) == ("pending", None)


async def test_null_clears_the_description(ask: Ask) -> None:
    task = await create(ask, description="Salmon")
    cleared = await ask("PUT", f"/{task['id']}", json={"description": None})
    assert cleared.json()["description"] is None


async def test_reopening_survives_others_who_write(database_url: str) -> None:
    async with serving(database_url) as client:
        new = await client.post("/api/u/tasks", json={"title": "Feed"}, headers=bearer("u"))
        path = f"/api/u/tasks/{new.json()['id']}"
        answers = await asyncio.gather(
            *(
                client.put(path, json={"completed": number % 2 == 0}, headers=bearer("u"))
                for number in range(40)
            )
        )
        assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("name", ["v1", "tasks", "user-api-keys"])
@pytest.mark.parametrize("closed", [True, False])
async def test_paths_of_other_doors_are_no_user_ids(
    database_url: str, name: str, closed: bool
) -> None:
    secrets = ("jwt_secret", "session_hash_secret", "service_auth_token", "encryption_key")
    changed = dict.fromkeys(secrets) if closed else {}
    async with serving(database_url, **changed) as client:
        for path in (f"/api/{name}/tasks", f"/api/{name}/tasks/{MISSING_ID}"):
            answer = await client.put(path, json={"title": "Mine"}, headers=bearer(name))
            assert answer.status_code in ({404} if closed else {404, 405})
        assert (
            await client.get("/api/v1tasks/tasks", headers=bearer("v1tasks"))
        ).status_code == 200


async def test_the_door_is_closed_without_its_secret(database_url: str) -> None:
    async with serving(database_url, better_auth_secret=None) as client:
        assert (await client.get("/api/user_123/tasks", headers=bearer())).status_code == 404
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert not [path for path in paths if path.startswith("/api/{user_id}")]


async def test_an_unreachable_database_is_a_server_error() -> None:
    async with serving("postgresql://localhost:1/none") as client:
        answer = await client.get("/api/user_123/tasks", headers=bearer())
        assert_refused(answer, 503, "SERVER_ERROR")
        assert answer.headers["Retry-After"]


async def test_a_long_list_is_whole_and_counted(database_url: str) -> None:
    db = await asyncpg.connect(database_url)
    await fill(db, 777)
    await db.close()
    async with serving(database_url) as client:
        listed = (await client.get("/api/user_123/tasks", headers=bearer())).json()
    assert (listed["count"], len({task["id"] for task in listed["tasks"]})) == (777, 777)


async def test_what_other_doors_write_is_shown_and_changed_here(ask: Ask, execute: Execute) -> None:
    made = await execute("create-task", title="x" * 400, status="in_progress", priority="urgent")
    task_id = made.json()["data"]["id"]
    [shown] = (await ask("GET", params={"status": "pending"})).json()["tasks"]
    assert (shown["id"], shown["title"]) == (task_id, "x" * 400)
    await ask("PUT", f"/{task_id}", json={"completed": True})
    stored = (await execute("get-task", task_id=task_id)).json()["data"]
    assert (stored["status"], stored["priority"]) == ("completed", "urgent")
    assert (await ask("DELETE", f"/{task_id}")).status_code == 204
    assert (await execute("restore-task", task_id=task_id)).status_code == 404
