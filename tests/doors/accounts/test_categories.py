import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import AsyncClient, Response

from app.services import Connection
from tests.conftest import MISSING_ID, TaskFactory
from tests.support.accounts import bearer

HOLDER = str(uuid4())
FORBIDDEN = {"detail": "You don't have permission to access this", "code": "forbidden"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")

Ask = Callable[..., Awaitable[Response]]


@pytest.fixture
def ask(client: AsyncClient, db: Connection) -> Ask:
    """Sends a request below /api/v1 for an account, by default that of HOLDER."""

    async def ask(method: str, path: str, user_id: str = HOLDER, **request: Any) -> Response:
        headers = await bearer(db, user_id)
        return await client.request(method, f"/api/v1/{path}", headers=headers, **request)

    return ask


async def create(ask: Ask, name: str = "Litter", **fields: Any) -> dict[str, Any]:
    answer = await ask("POST", "categories", json={"name": name, **fields})
    assert answer.status_code == 201
    body: dict[str, Any] = answer.json()
    return body


def assert_refused(answer: Response, status: int, sentence: str, **code: str) -> None:
    assert (answer.status_code, answer.json()) == (status, {"detail": sentence, **code})


async def test_created_category_is_answered_as_documented(ask: Ask) -> None:
    body = await create(ask, color="#00FF0a")
    assert list(body) == ["id", "name", "color", "created_at"]
    assert (body["name"], body["color"]) == ("Litter", "#00FF0a")
    assert UUID(body["id"]).version == 7
    assert INSTANT.fullmatch(body["created_at"])


async def test_color_is_optional(ask: Ask) -> None:
    assert (await create(ask, "Litter"))["color"] == "#6366F1"
    assert (await create(ask, "Vet", color=None))["color"] == "#6366F1"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param({}, "name", id="no name"),
        pytest.param({"name": "ab"}, "name", id="2 characters"),
        pytest.param({"name": "x" * 51}, "name", id="51 characters"),
        pytest.param({"name": "    "}, "name", id="blank"),
        pytest.param({"name": "abc\x00"}, "name", id="NUL"),
        pytest.param({"name": 123}, "name", id="a number"),
        pytest.param({"name": "abc", "color": "red"}, "color", id="a word"),
        pytest.param({"name": "abc", "color": "#12345"}, "color", id="5 digits"),
        pytest.param({"name": "abc", "color": "#12345g"}, "color", id="no digit"),
        pytest.param({"name": "abc", "color": "#123456\n"}, "color", id="line end"),
    ],
)
async def test_invalid_category_is_400(ask: Ask, body: dict[str, object], named: str) -> None:
    answer = await ask("POST", "categories", json=body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["detail", "code"]
    assert answer.json()["detail"].startswith(f"{named}: ")


async def test_name_of_3_to_50_characters_is_accepted(ask: Ask) -> None:
    for name in ("abc", "x" * 50, "🐈" * 50):
        assert (await create(ask, name))["name"] == name


async def test_second_category_of_a_name_is_409_for_the_same_account(ask: Ask) -> None:
    await create(ask)
    answer = await ask("POST", "categories", json={"name": "Litter"})
    assert_refused(answer, 409, "Category name already exists", code="taken")
    other = await ask("POST", "categories", str(uuid4()), json={"name": "Litter"})
    assert other.status_code == 201


async def test_categories_are_listed_by_name_for_their_account_alone(ask: Ask) -> None:
    vet, food = await create(ask, "Vet"), await create(ask, "Food")
    answer = await ask("GET", "categories")
    assert (answer.status_code, answer.json()) == (200, {"items": [food, vet], "total": 2})
    assert (await ask("GET", "categories", str(uuid4()))).json() == {"items": [], "total": 0}


async def test_deleted_category_is_204_then_404(ask: Ask) -> None:
    path = f"categories/{(await create(ask))['id']}"
    answer = await ask("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    again = await ask("DELETE", path)
    sentence = f"Category not found: {path.removeprefix('categories/')}"
    assert_refused(again, 404, sentence, code="not_found")


async def test_foreign_category_is_403(ask: Ask) -> None:
    path = f"categories/{(await create(ask))['id']}"
    answer = await ask("DELETE", path, str(uuid4()))
    assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
    assert (await ask("DELETE", path)).status_code == 204


async def test_assigned_category_is_shown_with_the_task(ask: Ask, make_task: TaskFactory) -> None:
    task = await make_task(HOLDER, priority="urgent", due_date="2030-01-01T00:00:00Z")
    category = await create(ask)
    answer = await ask("POST", f"tasks/{task.id}/categories/{category['id']}")
    assert answer.status_code == 200
    body = answer.json()
    assert INSTANT.fullmatch(body.pop("created_at"))
    assert INSTANT.fullmatch(body.pop("updated_at"))
    assert body == {
        "id": str(task.id),
        "title": "Feed cat",
        "description": None,
        "due_date": "2030-01-01T00:00:00Z",
        "priority": "urgent",
        "status": "pending",
        "version": 2,
        "categories": [{"id": category["id"], "name": "Litter", "color": "#6366F1"}],
    }


async def test_assigning_twice_is_400(ask: Ask, make_task: TaskFactory) -> None:
    path = f"tasks/{(await make_task(HOLDER)).id}/categories/{(await create(ask))['id']}"
    assert (await ask("POST", path)).status_code == 200
    sentence = "The task has this category already"
    assert_refused(await ask("POST", path), 400, sentence, code="already_assigned")


async def test_removed_category_is_204_then_404(ask: Ask, make_task: TaskFactory) -> None:
    path = f"tasks/{(await make_task(HOLDER)).id}/categories/{(await create(ask))['id']}"
    await ask("POST", path)
    answer = await ask("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    sentence = "The task does not have this category"
    assert_refused(await ask("DELETE", path), 404, sentence, code="not_found")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_missing_task_or_category_is_404_and_a_foreign_one_403(
    ask: Ask, make_task: TaskFactory, method: str
) -> None:
    stranger = str(uuid4())
    mine, foreign = (await make_task(HOLDER)).id, (await make_task(stranger)).id
    my_category = (await create(ask))["id"]
    answer = await ask("POST", "categories", stranger, json={"name": "Litter"})
    foreign_category = answer.json()["id"]
    for task_id, category_id in ((foreign, my_category), (mine, foreign_category)):
        refused = await ask(method, f"tasks/{task_id}/categories/{category_id}")
        assert (refused.status_code, refused.json()) == (403, FORBIDDEN)
    missing_task = await ask(method, f"tasks/{MISSING_ID}/categories/{my_category}")
    assert_refused(missing_task, 404, f"Task not found: {MISSING_ID}", code="not_found")
    missing_category = await ask(method, f"tasks/{mine}/categories/{MISSING_ID}")
    sentence = f"Category not found: {MISSING_ID}"
    assert_refused(missing_category, 404, sentence, code="not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "categories/x"),
        ("POST", f"tasks/x/categories/{MISSING_ID}"),
    ],
)
async def test_malformed_id_is_400(ask: Ask, method: str, path: str) -> None:
    answer = await ask(method, path)
    assert answer.status_code == 400
    assert list(answer.json()) == ["detail", "code"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "categories"),
        ("GET", "categories"),
        ("DELETE", "categories/x"),
        ("POST", "tasks/x/categories/x"),
        ("DELETE", "tasks/x/categories/x"),
    ],
)
async def test_without_a_token_is_401_before_anything_is_looked_at(
    client: AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, f"/api/v1/{path}", content=b"{broken")
    assert_refused(answer, 401, "Invalid or expired token")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_assignment_is_kept_when_the_answer_is_given(
    live_client: AsyncClient, crowd: list[Connection]
) -> None:
    headers = await bearer(crowd[0], HOLDER)
    created = await live_client.post("/api/v1/categories", json={"name": "Vet"}, headers=headers)
    task_id = await crowd[0].fetchval(
        "INSERT INTO tasks (user_id, title) VALUES ($1, 'Feed cat') RETURNING id", HOLDER
    )
    path = f"/api/v1/tasks/{task_id}/categories/{created.json()['id']}"
    assert (await live_client.post(path, headers=headers)).status_code == 200
    assert await crowd[0].fetchval("SELECT count(*) FROM task_categories") == 1
    assert await crowd[0].fetchval("SELECT version FROM tasks") == 2
