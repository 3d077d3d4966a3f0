"""Lists of the accounts door: their order, their total, how their query is spelled."""

import asyncio
from typing import Any

import pytest
from httpx import AsyncClient

from tests.conftest import SERVICE_HEADERS, TaskFactory
from tests.doors.accounts.test_tasks import HOLDER, Ask, ask, titles
from tests.support.accounts import register

__all__ = ["ask"]


async def test_tasks_without_a_due_date_come_last_in_both_directions(
    ask: Ask, make_task: TaskFactory
) -> None:
    for title, due in (("none", None), ("late", "2026-03-01"), ("early", "2026-01-01")):
        await make_task(HOLDER, title=title, due_date=due)
    assert await titles(ask, sort="due_date") == ["early", "late", "none"]
    assert await titles(ask, sort="-due_date") == ["late", "early", "none"]
    assert await titles(ask, sort="due_date", order="desc") == ["late", "early", "none"]


@pytest.mark.parametrize("number", ["1_0", " 1", "+1", "1.0", "1e1", "\u0661", ""])
@pytest.mark.parametrize("name", ["page", "limit"])
async def test_a_number_is_digits_and_nothing_else(ask: Ask, name: str, number: str) -> None:
    answer = await ask("GET", params={name: number})
    assert (answer.status_code, name in answer.json()["detail"]) == (400, True)


async def test_total_and_items_are_of_one_instant(live_client: AsyncClient) -> None:
    account = (await register(live_client)).json()
    headers = {"Authorization": f"Bearer {account['access_token']}"}
    done = False

    async def write() -> None:
        command: dict[str, Any] = {"action": "create-task", "user_id": account["user"]["id"]}
        for number in range(45):
            command["payload"] = {"title": f"No. {number}"}
            await live_client.post("/execute", json=command, headers=SERVICE_HEADERS)

    async def read() -> int:
        totals = set()
        while not done:
            page = (await live_client.get("/api/v1/tasks?limit=100", headers=headers)).json()
            assert page["total"] == len(page["items"])
            totals.add(page["total"])
        return len(totals)

    reading = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.gather(write(), write())
    done = True
    assert all(seen > 3 for seen in await asyncio.gather(*reading))


async def test_what_a_task_lost_with_its_category_is_a_new_version(
    ask: Ask, client: AsyncClient, make_task: TaskFactory
) -> None:
    task = await make_task(HOLDER, title="Feed cat")
    execute = {"user_id": HOLDER, "action": "create-category", "payload": {"name": "Litter"}}
    made = await client.post("/execute", json=execute, headers=SERVICE_HEADERS)
    category_id = made.json()["data"]["id"]
    payload = {"task_id": str(task.id), "category_id": category_id}
    await client.post(
        "/execute",
        json={**execute, "action": "assign-category", "payload": payload},
        headers=SERVICE_HEADERS,
    )
    version = (await ask("GET", f"/{task.id}")).json()["version"]
    await client.post(
        "/execute",
        json={**execute, "action": "delete-category", "payload": {"category_id": category_id}},
        headers=SERVICE_HEADERS,
    )
    shown = (await ask("GET", f"/{task.id}")).json()
    assert (shown["categories"], shown["version"]) == ([], version + 1)
    stale = await ask("PATCH", f"/{task.id}", json={"version": version, "title": "Mine"})
    assert stale.status_code == 409
