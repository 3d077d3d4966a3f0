"""list-tasks with filters, in every order, page by page."""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import asyncpg
import pytest
from httpx import AsyncClient

from app.models.task_list import TaskSort
from app.services import Connection
from tests.conftest import SERVICE_HEADERS, Execute, TaskFactory

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
RANKS = [None, "low", "medium", "high", "urgent"]
Items = list[dict[str, Any]]


@pytest.fixture
async def varied(db: Connection, make_task: TaskFactory) -> None:
    """Forty tasks with many ties in everything they can be sorted by."""
    for number in range(40):
        due = NOW + timedelta(days=number % 5) if number % 3 else None
        await make_task(
            title="bAc"[number % 3] + str(number % 4),
            priority=RANKS[number % 5],
            due_date=due,
            tags=["even"] if number % 2 == 0 else ["odd", "strange"],
            description="100% of_it\\all" if number == 7 else None,
        )
    await db.execute("UPDATE tasks SET created_at = $1 WHERE title LIKE '%1'", NOW)


async def titles(execute: Execute, **payload: Any) -> set[str]:
    return {task["title"] for task in (await listed(execute, **payload))["tasks"]}


async def listed(execute: Execute, **payload: Any) -> dict[str, Any]:
    answer = await execute("list-tasks", **payload)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def all_pages(execute: Execute, **payload: Any) -> Items:
    found: Items = []
    cursor = None
    while True:
        page = await listed(execute, **payload, cursor=cursor)
        found += page["tasks"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def key(sort: str, task: dict[str, Any]) -> tuple[Any, str]:
    """By which the list is in order, tasks without a due date last in both directions."""
    name = sort.removeprefix("-")
    value = task[name]
    if name == "priority":
        value = RANKS.index(value)
    elif name == "title":
        value = value.lower()
    is_last = value is None if sort[0] != "-" else value is not None
    return (is_last, value), task["id"]


@pytest.mark.usefixtures("varied")
@pytest.mark.parametrize("sort", [sort for sort in get_args(TaskSort) if "updated" not in sort])
async def test_pages_by_cursor_are_the_whole_list_in_its_order(execute: Execute, sort: str) -> None:
    everything = (await listed(execute))["tasks"]
    expected = sorted(everything, key=lambda task: key(sort, task), reverse=sort[0] == "-")
    assert await all_pages(execute, sort=sort, limit=7) == expected
    assert (await listed(execute, sort=sort))["tasks"] == expected
    assert (await listed(execute, sort=sort, limit=7, page=3))["tasks"] == expected[14:21]


async def test_least_recently_changed_comes_first_by_updated_at(
    db: Connection, execute: Execute, make_task: TaskFactory
) -> None:
    first, second = await make_task(title="first"), await make_task(title="second")
    await db.execute("UPDATE tasks SET updated_at = $1 WHERE id = $2", NOW, second.id)
    found = await listed(execute, sort="updated_at")
    assert [task["id"] for task in found["tasks"]] == [str(second.id), str(first.id)]


@pytest.mark.usefixtures("varied")
async def test_without_a_page_the_answer_is_what_it_always_was(execute: Execute) -> None:
    found = await listed(execute)
    assert list(found) == ["tasks", "count"]
    assert found["count"] == 40


@pytest.mark.usefixtures("varied")
async def test_page_tells_the_total_and_ends_empty(execute: Execute) -> None:
    page = await listed(execute, page=2)
    assert (page["count"], page["total"]) == (20, 40)
    assert page["next_cursor"] is not None  # the page is full: there might be more
    beyond = await listed(execute, page=4)
    assert (beyond["tasks"], beyond["total"], beyond["next_cursor"]) == ([], 40, None)
    filtered = await listed(execute, page=1, priority="low", limit=3)
    assert (filtered["count"], filtered["total"]) == (3, 8)


@pytest.mark.usefixtures("varied")
async def test_filters_let_through_what_matches_all_of_them(execute: Execute) -> None:
    everything: Items = (await listed(execute))["tasks"]
    both = (await listed(execute, tags=["strange", "odd"]))["tasks"]
    assert len(both) == 20
    assert (await listed(execute, tags=["odd", "even"]))["tasks"] == []
    due = await listed(execute, due_from="2026-11-21T10:00:00Z", due_to="2026-11-22T10:00:00Z")
    assert due["tasks"] == [
        task
        for task in everything
        if task["due_date"] in ("2026-11-21T10:00:00Z", "2026-11-22T10:00:00Z")
    ]
    assert await titles(execute, search="A2") == {"A2"}


@pytest.mark.usefixtures("varied")
@pytest.mark.parametrize("text", ["100%", "of_it", "_it\\a", "100% OF_IT\\ALL"])
async def test_search_takes_every_character_as_it_is(execute: Execute, text: str) -> None:
    assert len((await listed(execute, search=text))["tasks"]) == 1


@pytest.mark.usefixtures("varied")
@pytest.mark.parametrize("text", ["1_0", "%of", "100\\"])
async def test_search_has_no_wildcards(execute: Execute, text: str) -> None:
    assert (await listed(execute, search=text))["tasks"] == []


def forged(*content: Any) -> str:
    return urlsafe_b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "5"}, "limit"),
        ({"page": True}, "page"),
        ({"page": 0}, "page"),
        ({"sort": "colour"}, "sort"),
        ({"sort": "--title"}, "sort"),
        ({"tags": [""]}, "tags"),
        ({"due_from": "yesterday"}, "due_from"),
        ({"search": "\x00"}, "search"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": forged("-created_at")}, "cursor"),
        ({"cursor": forged("-created_at", "infinity", "x")}, "cursor"),
        ({"cursor": forged("-created_at", "1700-01-01T00:00:00Z", "0" * 32)}, "cursor"),
        ({"sort": "priority", "cursor": forged("priority", 2**40, "0" * 32)}, "cursor"),
        ({"sort": "title", "cursor": forged("title", "\x00", "0" * 32)}, "cursor"),
        ({"sort": "title", "cursor": forged("-title", "a", "0" * 32)}, "cursor"),
        ({"cursor": forged("-created_at", "2026-01-01T00:00:00Z", "0" * 32), "page": 1}, "page"),
    ],
)
async def test_what_no_list_can_be_is_refused(
    execute: Execute, payload: dict[str, Any], field: str
) -> None:
    answer = await execute("list-tasks", **payload)
    assert answer.status_code == 400
    assert field in answer.json()["detail"]


@pytest.mark.usefixtures("varied")
async def test_cursor_is_opaque_but_honest(execute: Execute) -> None:
    page = await listed(execute, limit=5, sort="title")
    sort, title, task_id = json.loads(urlsafe_b64decode(page["next_cursor"]))
    assert (sort, title, task_id) == ("title", *key("title", page["tasks"][-1])[0][1:], task_id)


async def test_pages_neither_skip_nor_repeat_while_tasks_are_written(
    live_client: AsyncClient, database_url: str
) -> None:
    async def perform(action: str, **payload: Any) -> Any:
        command = {"action": action, "user_id": "user_123", "payload": payload}
        answer = await live_client.post("/execute", json=command, headers=SERVICE_HEADERS)
        return answer.raise_for_status().json()["data"]

    before = {(await perform("create-task", title=str(number)))["id"] for number in range(60)}
    is_paging = True

    async def write() -> None:
        while is_paging:
            new = await perform("create-task", title="new")
            await perform("update-task", task_id=new["id"], priority="high")

    writers = [asyncio.create_task(write()) for _ in range(3)]
    seen: list[str] = []
    cursor = None
    while True:
        page = await perform("list-tasks", limit=4, cursor=cursor)
        seen += [task["id"] for task in page["tasks"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    is_paging = False
    await asyncio.gather(*writers)
    assert len(seen) == len(set(seen))
    assert before <= set(seen)
    db = await asyncpg.connect(database_url)
    assert await db.fetchval("SELECT count(*) FROM tasks") > 60
    await db.close()
