"""What a list of the user tasks door may be asked for, and what a task of it may have."""

from typing import Any

import pytest

from tests.conftest import Execute, TaskFactory
from tests.doors.test_user_tasks import Ask, ask, assert_refused

__all__ = ["ask"]


@pytest.fixture
async def titles(ask: Ask, make_task: TaskFactory) -> Any:
    """Four tasks, and the titles of those that a query finds."""
    for title, priority, due in (
        ("Feed cat", "high", "2026-12-20T10:00:00Z"),
        ("Brush cat", "low", "2026-12-20T23:59:59.5Z"),
        ("Buy litter", "high", "2026-12-21T00:00:00Z"),
        ("Sleep", None, None),
    ):
        await make_task(title=title, priority=priority, due_date=due)

    async def titles(**query: Any) -> list[str]:
        answer = await ask("GET", params={"sort": "title", **query})
        assert answer.status_code == 200
        found = answer.json()
        assert found["count"] == len(found["tasks"])
        return [task["title"] for task in found["tasks"]]

    return titles


async def test_priority_due_date_and_search_narrow_a_list(titles: Any) -> None:
    assert await titles(priority="high") == ["Buy litter", "Feed cat"]
    assert await titles(due_date="2026-12-20") == ["Brush cat", "Feed cat"]
    assert await titles(due_date="20261220") == ["Brush cat", "Feed cat"]
    assert await titles(due_date="2026-12-20T10:00:00Z") == ["Feed cat"]
    assert await titles(due_date="20261221T000000Z") == ["Buy litter"]
    assert await titles(search="CAT") == ["Brush cat", "Feed cat"]
    assert await titles(search="cat", priority="low", status="pending") == ["Brush cat"]


async def test_limit_and_page_give_one_page(titles: Any) -> None:
    assert await titles(limit=3) == ["Brush cat", "Buy litter", "Feed cat"]
    assert await titles(limit=3, page=2) == ["Sleep"]
    assert await titles(page=1) == ["Brush cat", "Buy litter", "Feed cat", "Sleep"]
    assert await titles(page=2) == []


@pytest.mark.parametrize(
    "query",
    [
        *({"priority": "soon"}, {"due_date": "tomorrow"}, {"search": "  "}, {"search": "x" * 201}),
        *({"limit": "0"}, {"limit": "101"}, {"limit": "1_0"}, {"page": "0"}, {"page": " 1"}),
    ],
)
async def test_what_cannot_be_asked_for_is_400_and_named(ask: Ask, query: dict[str, str]) -> None:
    answer = await ask("GET", params=query)
    assert_refused(answer, 400, "VALIDATION_ERROR")
    assert next(iter(query)) in answer.json()["detail"]


async def test_a_wrong_due_date_is_told_once(ask: Ask) -> None:
    for due in ("0001-01-01", "tomorrow"):
        detail = (await ask("GET", params={"due_date": due})).json()["detail"]
        assert detail.count("due_date: ") == 1


async def test_priority_and_due_date_are_kept_and_cleared(ask: Ask, execute: Execute) -> None:
    new: dict[str, Any] = {
        "title": "Feed cat",
        "priority": "high",
        "due_date": "2026-12-20T10:00:00Z",
    }
    path = f"/{(await ask('POST', json=new)).json()['id']}"
    for changes in ({}, {"priority": "low"}, {"due_date": None, "completed": False}):
        if changes:
            assert (await ask("PUT", path, json=changes)).status_code == 200
        new |= changes
        stored = (await execute("get-task", task_id=path[1:])).json()["data"]
        assert (stored["priority"], stored["due_date"]) == (new["priority"], new["due_date"])
