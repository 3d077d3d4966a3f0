import pytest
from httpx import AsyncClient

from app.models.key import NewKey
from app.services import Connection, keys
from tests.conftest import SERVICE_HEADERS, Execute, TaskFactory


async def test_answers_the_six_figures_bare(client: AsyncClient, make_task: TaskFactory) -> None:
    await make_task(due_date="2020-01-01T00:00:00Z")
    await make_task(status="completed")
    await make_task(status="in_progress")
    await make_task(user_id="another")
    answer = await client.get("/stats", params={"user_id": "user_123"}, headers=SERVICE_HEADERS)
    assert answer.status_code == 200
    assert answer.json() == {
        "total_tasks": 3,
        "pending_tasks": 1,
        "in_progress_tasks": 1,
        "completed_tasks": 1,
        "completion_rate": 33.33,
        "overdue_tasks": 1,
    }


async def test_answers_what_the_action_answers(
    client: AsyncClient, execute: Execute, make_task: TaskFactory
) -> None:
    await make_task(user_id="Käthe & Co", status="completed")
    bare = await client.get("/stats", params={"user_id": "Käthe & Co"}, headers=SERVICE_HEADERS)
    assert bare.json()["completed_tasks"] == 1
    assert bare.json() == (await execute("get-stats", user_id="Käthe & Co")).json()["data"]


async def test_without_a_key_is_401_before_the_user_id_is_looked_at(client: AsyncClient) -> None:
    answer = await client.get("/stats")
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Invalid or expired service key"}


async def test_key_without_the_scope_is_403(client: AsyncClient, db: Connection) -> None:
    value = keys.generate("dev", None)
    new = NewKey(key_name="tasks-only", environment="dev", scopes=["tasks:read", "tasks:write"])
    await keys.insert_key(db, new, value)
    answer = await client.get(
        "/stats", params={"user_id": "user_123"}, headers={"X-Service-Key": value}
    )
    sentence = "Missing scope: stats:read"
    assert answer.status_code == 403
    assert answer.json() == {"detail": sentence, "code": "forbidden"}


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({}, id="missing"),
        pytest.param({"user_id": ""}, id="empty"),
        pytest.param({"user_id": "u" * 256}, id="256 characters"),
        pytest.param({"user_id": "user\x00"}, id="NUL"),
    ],
)
async def test_unusable_user_id_is_422_and_named(
    client: AsyncClient, params: dict[str, str]
) -> None:
    answer = await client.get("/stats", params=params, headers=SERVICE_HEADERS)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "user_id"]


async def test_user_id_of_255_characters_is_answered(client: AsyncClient) -> None:
    answer = await client.get("/stats", params={"user_id": "u" * 255}, headers=SERVICE_HEADERS)
    assert answer.status_code == 200
