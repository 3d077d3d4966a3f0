"""The door of contacts: its key, its shapes, its words for what is wrong."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import AsyncClient, Response
from pydantic import SecretStr

from app.config import DEVELOPMENT_VALUES, Settings
from app.services import Connection
from tests.conftest import MISSING_ID, Execute, TaskFactory

KEY = DEVELOPMENT_VALUES["TASK_API_KEY"]
HEADERS = {"X-API-Key": KEY}
USER = {
    "name": "María García",
    "email": "maria@test-azollon.com",
    "company": "Test Azollon",
    "user_type": "client",
    "notes": "New client from PyCon demo",
}
CALL = {"title": "Onboarding", "scheduled_for": "2025-10-25T10:00:00Z"}
PATHS = [
    ("GET", "/users"),
    ("POST", "/users"),
    ("GET", f"/users/{MISSING_ID}"),
    ("GET", "/calls"),
    ("POST", "/calls"),
    ("GET", f"/calls/{MISSING_ID}"),
    ("PATCH", f"/calls/{MISSING_ID}/status"),
    ("GET", "/tasks"),
    ("POST", "/tasks"),
    ("GET", f"/tasks/{MISSING_ID}"),
    ("PATCH", f"/tasks/{MISSING_ID}/status"),
]

Ask = Callable[..., Awaitable[Response]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"task_api_key": SecretStr(KEY)})


@pytest.fixture
def ask(client: AsyncClient) -> Ask:
    """Sends a request with the key."""

    async def ask(method: str, path: str, body: object = None, **options: Any) -> Response:
        return await client.request(method, path, json=body, headers=HEADERS, **options)

    return ask


@pytest.fixture
async def user_id(ask: Ask) -> str:
    user_id: str = (await ask("POST", "/users", USER)).json()["id"]
    return user_id


_FILL = """
WITH users AS (
    INSERT INTO contacts (name, email, company, user_type, created_at)
    SELECT 'User ' || n, 'user@example.com', 'Company', 'client', instant
    FROM generate_series(1, $1) AS n, make_interval(secs => n / 7) AS age,
        timestamptz(now() - age) AS instant
    RETURNING user_id, created_at
), planned AS (
    INSERT INTO calls (user_id, title, scheduled_for, duration_minutes, created_at)
    SELECT user_id, 'Call', now(), 30, created_at FROM users
)
INSERT INTO tasks (user_id, title, created_at) SELECT user_id, 'Task', created_at FROM users
"""


async def fill(db: Connection, count: int) -> None:
    """Stores so many users, each with a call and a task, up to seven at the same instant."""
    await db.execute(_FILL, count)


def assert_refused(answer: Response, status: int, message: str) -> None:
    assert answer.status_code == status
    assert answer.json() == {"success": False, "message": message}


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_a_missing_key_is_401_and_a_wrong_one_403_before_anything_else(
    client: AsyncClient, method: str, path: str
) -> None:
    for missing in ({}, {"X-API-Key": ""}):
        answer = await client.request(method, path, content=b"{", headers=missing)
        assert_refused(answer, 401, "Missing API key")
    for key in ("wrong", "kätzchen", KEY + "x", KEY.upper()):
        headers = {b"X-API-Key": key.encode()}
        answer = await client.request(method, path, content=b"{", headers=headers)
        assert_refused(answer, 403, "Invalid API key")


async def test_keys_of_other_doors_do_not_open_it(client: AsyncClient) -> None:
    for header in ("X-Service-Key", "X-Admin-Key", "Authorization"):
        assert (await client.get("/users", headers={header: KEY})).status_code == 401
    command = {"action": "list-tasks", "user_id": "user_123"}
    assert (await client.post("/execute", json=command, headers=HEADERS)).status_code == 401


async def test_without_its_key_the_door_does_not_exist(live_client: AsyncClient) -> None:
    for method, path in PATHS:
        answer = await live_client.request(method, path, headers=HEADERS)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert "/users" not in (await live_client.get("/openapi.json")).json()["paths"]
    assert (await live_client.get("/")).json()["doors"] == ["commands"]


async def test_the_index_names_the_open_door(client: AsyncClient) -> None:
    assert (await client.get("/")).json()["doors"] == ["commands", "contacts"]


async def test_a_user_is_created_shown_and_listed_in_one_shape(ask: Ask) -> None:
    answer = await ask("POST", "/users", USER)
    assert answer.status_code == 201
    user = answer.json()
    assert list(user) == ["id", *USER, "created_at", "updated_at"]
    assert {name: user[name] for name in USER} == USER
    assert UUID(user["id"]).version == 7
    assert user["created_at"] == user["updated_at"]
    assert user["created_at"].endswith("Z")
    assert (await ask("GET", f"/users/{user['id']}")).json() == user
    assert (await ask("GET", f"/users/{user['id'].upper()}")).json() == user
    listed = await ask("GET", "/users")
    assert (listed.status_code, listed.json()) == (200, [user])


async def test_a_user_is_a_client_without_notes_unless_told_otherwise(ask: Ask) -> None:
    user = {name: USER[name] for name in ("name", "email", "company")}
    created = (await ask("POST", "/users", user)).json()
    assert (created["user_type"], created["notes"]) == ("client", None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 101),
        ("name", None),
        ("name", "a\x00b"),
        ("email", "nobody"),
        ("email", "a@b@c.com"),
        ("email", "a" * 250 + "@example.com"),
        ("email", 7),
        ("company", ""),
        ("company", "x" * 101),
        ("user_type", "friend"),
        ("user_type", None),
        ("notes", "x" * 501),
    ],
)
async def test_wrong_field_of_a_user_is_422_and_named(ask: Ask, field: str, value: object) -> None:
    answer = await ask("POST", "/users", {**USER, field: value})
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["detail"]] == [["body", field]]


@pytest.mark.parametrize("field", ["name", "email", "company"])
async def test_missing_field_of_a_user_is_422(ask: Ask, field: str) -> None:
    user = {name: value for name, value in USER.items() if name != field}
    answer = await ask("POST", "/users", user)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["type"] == "missing"


async def test_wrong_email_is_answered_as_the_document_prints(ask: Ask) -> None:
    answer = await ask("POST", "/users", {**USER, "email": "s3cr3t"})
    error = {"msg": "value is not a valid email address", "type": "value_error.email"}
    assert answer.json() == {"detail": [{"loc": ["body", "email"], **error}]}


@pytest.mark.parametrize(("field", "longest"), [("name", 100), ("company", 100), ("notes", 500)])
async def test_longest_texts_are_kept_whole(ask: Ask, field: str, longest: int) -> None:
    text = "猫" * longest
    assert (await ask("POST", "/users", {**USER, field: text})).json()[field] == text


async def test_a_call_is_scheduled_shown_and_listed_in_one_shape(ask: Ask, user_id: str) -> None:
    given = {**CALL, "user_id": user_id, "duration_minutes": 45, "notes": "Overview"}
    answer = await ask("POST", "/calls", given)
    assert answer.status_code == 201
    call = answer.json()
    assert list(call) == [
        *("id", "user_id", "title", "scheduled_for", "duration_minutes", "notes", "status"),
        *("created_at", "updated_at"),
    ]
    assert {name: call[name] for name in given} == given
    assert call["status"] == "scheduled"
    assert (await ask("GET", f"/calls/{call['id']}")).json() == call
    assert (await ask("GET", "/calls")).json() == [call]


async def test_a_call_lasts_half_an_hour_unless_told_otherwise(ask: Ask, user_id: str) -> None:
    call = (await ask("POST", "/calls", {**CALL, "user_id": user_id})).json()
    assert (call["duration_minutes"], call["notes"]) == (30, None)


@pytest.mark.parametrize("minutes", [14, 241, 0, -30, "30", 30.5, True, None])
async def test_unusable_duration_is_422(ask: Ask, user_id: str, minutes: object) -> None:
    answer = await ask("POST", "/calls", {**CALL, "user_id": user_id, "duration_minutes": minutes})
    assert answer.status_code == 422


@pytest.mark.parametrize("minutes", [15, 240, 45.0])
async def test_shortest_and_longest_durations_are_kept(
    ask: Ask, user_id: str, minutes: float
) -> None:
    answer = await ask("POST", "/calls", {**CALL, "user_id": user_id, "duration_minutes": minutes})
    assert answer.json()["duration_minutes"] == minutes


@pytest.mark.parametrize("stranger", [str(MISSING_ID), "abc-123", "user_123", "{USER_ID}"])
async def test_what_names_no_user_is_not_found(ask: Ask, stranger: str) -> None:
    message = f"User {stranger} not found"
    assert_refused(await ask("GET", f"/users/{stranger}"), 404, message)
    assert_refused(await ask("POST", "/calls", {**CALL, "user_id": stranger}), 404, message)
    task = {"title": "Follow up", "user_id": stranger}
    assert_refused(await ask("POST", "/tasks", task), 404, message)


@pytest.mark.parametrize(("path", "kind"), [("/calls", "Call"), ("/tasks", "Task")])
@pytest.mark.parametrize("unknown", [str(MISSING_ID), "call-123-456", "a" * 100])
async def test_what_names_no_call_or_task_is_not_found(
    ask: Ask, path: str, kind: str, unknown: str
) -> None:
    message = f"{kind} {unknown} not found"
    assert_refused(await ask("GET", f"{path}/{unknown}"), 404, message)
    change = await ask("PATCH", f"{path}/{unknown}/status?new_status=cancelled")
    assert_refused(change, 404, message)


async def test_no_more_than_a_hundred_characters_come_back(ask: Ask) -> None:
    answer = await ask("GET", f"/users/{'x' * 5000}")
    assert_refused(answer, 404, f"User {'x' * 100} not found")


async def test_a_task_is_created_shown_and_listed_in_one_shape(ask: Ask, user_id: str) -> None:
    given = {
        "title": "Prepare onboarding materials",
        "description": "Create custom deck with use case examples",
        "user_id": user_id,
        "due_date": "2025-10-26T12:00:00Z",
    }
    answer = await ask("POST", "/tasks", given)
    assert answer.status_code == 201
    task = answer.json()
    assert list(task) == [
        *("id", "title", "description", "user_id", "status", "due_date"),
        *("created_at", "updated_at"),
    ]
    assert {name: task[name] for name in given} == given
    assert task["status"] == "todo"
    assert (await ask("GET", f"/tasks/{task['id']}")).json() == task
    assert (await ask("GET", "/tasks")).json() == [task]


async def test_a_task_may_be_nobodys(ask: Ask) -> None:
    task = (await ask("POST", "/tasks", {"title": "Feed the office cat"})).json()
    assert (task["user_id"], task["description"], task["due_date"]) == (None, None, None)
    assert (await ask("GET", "/tasks")).json() == [task]


@pytest.mark.parametrize(
    "task",
    [
        {},
        {"title": ""},
        {"title": "x" * 201},
        {"title": "x", "description": "x" * 1001},
        {"title": "x", "due_date": "tomorrow"},
        {"title": "x", "user_id": 7},
        {"title": "x", "user_id": ""},
        ["title"],
    ],
)
async def test_unusable_task_is_422(ask: Ask, task: object) -> None:
    answer = await ask("POST", "/tasks", task)
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], list)


@pytest.mark.parametrize("status", ["scheduled", "completed", "cancelled", "rescheduled"])
async def test_changing_a_calls_status_answers_the_whole_call(
    ask: Ask, user_id: str, status: str
) -> None:
    call = (await ask("POST", "/calls", {**CALL, "user_id": user_id})).json()
    answer = await ask("PATCH", f"/calls/{call['id']}/status", params={"new_status": status})
    assert answer.status_code == 200
    assert answer.json() == {**call, "status": status, "updated_at": answer.json()["updated_at"]}
    assert (await ask("GET", f"/calls/{call['id']}")).json() == answer.json()


@pytest.mark.parametrize(
    ("status", "canonical"),
    [
        ("todo", "pending"),
        ("in_progress", "in_progress"),
        ("done", "completed"),
        ("cancelled", "cancelled"),
    ],
)
async def test_a_tasks_status_is_mapped_to_the_canonical_one_and_back(
    ask: Ask, execute: Execute, user_id: str, status: str, canonical: str
) -> None:
    task = (await ask("POST", "/tasks", {"title": "Follow up", "user_id": user_id})).json()
    answer = await ask("PATCH", f"/tasks/{task['id']}/status", params={"new_status": status})
    assert answer.json() == {**task, "status": status, "updated_at": answer.json()["updated_at"]}
    seen = (await execute("get-task", task_id=task["id"])).json()["data"]
    assert (seen["user_id"], seen["status"]) == (user_id, canonical)
    assert (seen["completed_at"] is None) is (status != "done")


async def test_reopening_clears_the_completion_time(ask: Ask, execute: Execute) -> None:
    task = (await ask("POST", "/tasks", {"title": "Follow up"})).json()
    for status in ("done", "todo"):
        await ask("PATCH", f"/tasks/{task['id']}/status", params={"new_status": status})
    seen = (await execute("get-task", task_id=task["id"])).json()["data"]
    assert (seen["status"], seen["completed_at"]) == ("pending", None)


@pytest.mark.parametrize("path", ["/calls", "/tasks"])
@pytest.mark.parametrize("parameters", [{}, {"new_status": "purring"}, {"new_status": ""}])
async def test_unknown_status_is_422(ask: Ask, path: str, parameters: dict[str, str]) -> None:
    answer = await ask("PATCH", f"{path}/{MISSING_ID}/status", params=parameters)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "new_status"]


async def test_lists_are_newest_first_and_filtered(ask: Ask, user_id: str) -> None:
    other = (await ask("POST", "/users", USER)).json()["id"]
    assert [user["id"] for user in (await ask("GET", "/users")).json()] == [other, user_id]
    for path, body, status in (("/calls", CALL, "completed"), ("/tasks", {"title": "x"}, "done")):
        first, second, third = [
            (await ask("POST", path, {**body, "user_id": owner})).json()["id"]
            for owner in (user_id, other, user_id)
        ]
        await ask("PATCH", f"{path}/{first}/status", params={"new_status": status})
        for parameters, expected in [
            ({}, [third, second, first]),
            ({"user_id": user_id}, [third, first]),
            ({"status_filter": status}, [first]),
            ({"user_id": other, "status_filter": status}, []),
            ({"user_id": str(uuid4())}, []),
            ({"user_id": "nobody"}, []),
        ]:
            listed = (await ask("GET", path, params=parameters)).json()
            assert [entry["id"] for entry in listed] == expected, parameters


@pytest.mark.parametrize("path", ["/calls", "/tasks"])
@pytest.mark.parametrize("status", ["purring", "", "pending"])
async def test_unknown_status_filter_is_422(ask: Ask, path: str, status: str) -> None:
    answer = await ask("GET", path, params={"status_filter": status})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "status_filter"]


@pytest.mark.parametrize("path", ["/users", "/calls", "/tasks"])
async def test_a_list_of_several_pages_is_complete_and_in_order(
    ask: Ask, db: Connection, path: str
) -> None:
    await fill(db, 1203)
    listed = (await ask("GET", path)).json()
    assert len({entry["id"] for entry in listed}) == len(listed) == 1203
    keys = [(entry["created_at"], entry["id"]) for entry in listed]
    assert keys == sorted(keys, reverse=True)


async def test_tasks_of_other_users_are_seen_by_no_route(
    ask: Ask, execute: Execute, make_task: TaskFactory
) -> None:
    for owner in ("user_123", str(uuid4())):
        task = await make_task(user_id=owner)
        missing = f"Task {task.id} not found"
        assert_refused(await ask("GET", f"/tasks/{task.id}"), 404, missing)
        change = await ask("PATCH", f"/tasks/{task.id}/status?new_status=done")
        assert_refused(change, 404, missing)
        for parameters in ({}, {"user_id": owner}, {"status_filter": "todo"}):
            assert (await ask("GET", "/tasks", params=parameters)).json() == []
        seen = await execute("get-task", task_id=str(task.id))
        assert seen.json()["data"]["status"] == "pending"


async def test_a_contacts_task_of_another_door_is_seen_in_this_doors_spelling(
    ask: Ask, execute: Execute, user_id: str
) -> None:
    fields = {"title": "x" * 500, "description": "y" * 2000, "priority": "urgent"}
    created = (await execute("create-task", user_id=user_id, status="completed", **fields)).json()[
        "data"
    ]
    [task] = (await ask("GET", "/tasks", params={"user_id": user_id})).json()
    assert (task["id"], task["status"]) == (created["id"], "done")
    assert (task["title"], task["description"]) == (fields["title"], fields["description"])
    await execute("delete-task", task_id=task["id"])
    assert (await ask("GET", "/tasks")).json() == []


async def test_commands_go_on_refusing_to_cancel(ask: Ask, execute: Execute, user_id: str) -> None:
    task = (await ask("POST", "/tasks", {"title": "Follow up", "user_id": user_id})).json()
    refused = await execute("update-task", task_id=task["id"], status="cancelled")
    assert refused.status_code == 400
    refused = await execute("create-task", user_id=user_id, title="x", status="cancelled")
    assert refused.status_code == 400


async def test_other_errors_have_the_doors_shape_too(ask: Ask, client: AsyncClient) -> None:
    for method, path in (("DELETE", "/users"), ("PUT", f"/calls/{MISSING_ID}")):
        answer = await ask(method, path)
        assert_refused(answer, 405, "Method Not Allowed")
        assert answer.headers["allow"]
    large = {**USER, "notes": "x" * 2_000_000}
    answer = await ask("POST", "/users", large)
    assert_refused(answer, 413, "The request body is larger than 1048576 bytes")
    headers = {**HEADERS, "Content-Type": "application/json"}
    for body in (b"", b"{", b"[" * 100, b'{"name": NaN}', b"\xff"):
        answer = await client.post("/users", content=body, headers=headers)
        assert answer.status_code == 422
        assert isinstance(answer.json()["detail"], list)


async def test_the_document_describes_the_door(client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for method, path in PATHS:
        template = path.replace(f"{MISSING_ID}", f"{{{path.split('/')[1][:-1]}_id}}")
        operation = document["paths"][template][method.lower()]
        assert operation["security"] == [{"PartnerKey": []}]
        assert {"401", "403", "500", "503"} <= operation["responses"].keys()
        for status, answer in operation["responses"].items():
            schema = json.dumps(answer["content"]["application/json"]["schema"])
            assert ("Refusal" in schema) is (status not in ("200", "201", "422"))
