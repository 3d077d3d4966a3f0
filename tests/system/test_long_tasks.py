"""Lists of long tasks among brief ones: whole, in order, page by page, at every door."""

from typing import Any, get_args
from uuid import uuid4

import pytest
from httpx import AsyncClient

from app.models.task_list import Slice, TaskFilter, TaskSort
from app.services import Connection, task_lists
from app.services.pages import PAGE_BYTES
from tests.conftest import Execute
from tests.doors.test_user_tasks import bearer
from tests.support.accounts import bearer as account
from tests.support.contacts import HEADERS as PARTNER
from tests.support.people import acting_for

USER = str(uuid4())
COUNT = 90
_FILL = """
WITH contact AS (
    INSERT INTO contacts (id, name, email, company, user_type)
    VALUES ($1::uuid, 'María', 'maria@example.com', 'Azollon', 'client')
)
INSERT INTO tasks (user_id, title, description, tags, priority, due_date, created_at)
SELECT $1::text, 'Task ' || n % 7,
    CASE n % 5
        WHEN 0 THEN repeat('🐈', 100000) WHEN 1 THEN repeat(chr(1), 30000)
        WHEN 2 THEN repeat('meow ', 150) WHEN 3 THEN 'meow'
    END,
    CASE WHEN n % 6 = 0 THEN array_fill(repeat('🐈', 100), ARRAY[100]) ELSE '{}' END,
    (ARRAY['low', 'high', NULL])[1 + n % 3], now() + n % 4 * interval '1 day',
    now() - n / 3 * interval '1 minute'
FROM generate_series(1, $2::int) AS n
"""
Tasks = list[dict[str, Any]]


@pytest.fixture(autouse=True)
async def filled(db: Connection) -> None:
    """A contact who has long tasks and brief ones, with ties in everything they are sorted by."""
    await db.execute(_FILL, USER, COUNT)


async def listed(execute: Execute, **payload: Any) -> dict[str, Any]:
    answer = await execute("list-tasks", USER, **payload)
    assert answer.status_code == 200, answer.text[:300]
    data: dict[str, Any] = answer.json()["data"]
    return data


@pytest.mark.parametrize("sort", get_args(TaskSort))
async def test_pages_of_long_tasks_have_as_many_as_asked_for_and_lose_none(
    execute: Execute, sort: str
) -> None:
    whole = (await listed(execute, sort=sort))["tasks"]
    assert len({task["id"] for task in whole}) == COUNT
    paged: Tasks = []
    cursor = None
    sizes: list[int] = []
    while cursor or not sizes:
        page = await listed(execute, sort=sort, limit=40, cursor=cursor)
        sizes.append(len(page["tasks"]))
        assert page["count"] == sizes[-1]
        paged += page["tasks"]
        cursor = page["next_cursor"]
    assert paged == whole
    assert sizes == [40, 40, 10]


async def test_a_page_by_number_has_its_count_and_the_total(execute: Execute) -> None:
    whole = (await listed(execute))["tasks"]
    page = await listed(execute, page=2, limit=40)
    assert list(page) == ["tasks", "count", "total", "next_cursor"]
    assert page["tasks"] == whole[40:80]
    assert (page["count"], page["total"]) == (40, COUNT)
    last = await listed(execute, page=3, limit=40)
    assert (last["tasks"], last["count"], last["next_cursor"]) == (whole[80:], 10, None)


async def test_filters_and_search_hold_in_every_part(execute: Execute) -> None:
    whole = (await listed(execute))["tasks"]
    low = await listed(execute, priority="low", search="task")
    assert low["tasks"] == [task for task in whole if task["priority"] == "low"]


async def test_every_door_shows_all_of_them(
    client: AsyncClient, db: Connection, execute: Execute
) -> None:
    whole = (await listed(execute))["tasks"]
    expected = [(task["id"], task["description"]) for task in whole]
    for path, headers in (
        ("/api/tasks", acting_for(USER)),
        (f"/api/{USER}/tasks", bearer(USER)),
        (f"/tasks?user_id={USER}", PARTNER),
        ("/tasks", PARTNER),
        ("/api/v1/tasks?limit=100", await account(db, USER)),
    ):
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text[:300]
        body = answer.json()
        tasks = body if isinstance(body, list) else body.get("tasks", body.get("items"))
        assert [(task["id"], task["description"]) for task in tasks] == expected, path
        if "items" in body:
            assert (body["total"], body["page"], body["limit"]) == (COUNT, 1, 100)
            assert list(body) == ["items", "total", "page", "limit"]


async def test_no_part_is_longer_than_a_page_or_a_task(db: Connection) -> None:
    part: Slice | None = Slice()
    sizes = []
    while part is not None:
        page = await task_lists.fetch_page(db, USER, TaskFilter(), part=part)
        assert len(page.tasks) <= PAGE_BYTES or page.size == 1
        sizes.append(page.size)
        part = page.rest
    assert sum(sizes) == COUNT
    assert max(sizes) > 1


@pytest.mark.parametrize("count", [0, 1, 3, 250, 251])
async def test_brief_tasks_are_never_counted(db: Connection, count: int) -> None:
    await db.execute("DELETE FROM tasks")
    await db.execute(
        "INSERT INTO tasks (user_id, title, description) "
        "SELECT $1, 'Task', repeat('x', 650) FROM generate_series(1, $2::int)",
        USER,
        count,
    )
    page = await task_lists.fetch_page(db, USER, TaskFilter())
    assert page.size == min(count, 250)
    assert (page.rest is None) == (count < 250)


async def test_long_contacts_and_calls_come_in_parts_too(
    client: AsyncClient, db: Connection, execute: Execute
) -> None:
    await db.execute("""
        WITH many AS (
            INSERT INTO contacts (name, email, company, user_type, notes)
            SELECT repeat('🐈', 100), 'cat@example.com', repeat('🐈', 100), 'client',
                repeat('🐈', 500)
            FROM generate_series(1, 600) RETURNING user_id
        )
        INSERT INTO calls (user_id, title, scheduled_for, duration_minutes, notes)
        SELECT user_id, repeat('🐈', 200), now(), 30, repeat('🐈', 500) FROM many
    """)
    for path, action, member, count in (
        ("/users", "list-contacts", "contacts", 601),
        ("/calls", "list-calls", "calls", 600),
    ):
        whole = (await client.get(path, headers=PARTNER)).json()
        assert len({entry["id"] for entry in whole}) == len(whole) == count
        for limit in (100, 128, 500):
            page = (await execute(action, limit=limit)).json()["data"]
            assert page[member] == whole[:limit]
            after = {"id": page[member][-1]["id"], "created_at": page[member][-1]["created_at"]}
            for place in ({"after": after}, {"cursor": page["next_cursor"]}):
                following = (await execute(action, limit=500, **place)).json()["data"]
                assert following[member] == whole[limit:][:500]
                assert (following["next_cursor"] is None) == (count - limit < 500)
