"""Accounts: 300 writes a minute, a bounded number of categories, and lists that stay cheap."""

import asyncio
import gc
import json
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from httpx import AsyncClient

from app.models.category import MOST_CATEGORIES, MOST_OF_A_TASK
from app.services import Connection
from tests.conftest import Execute, Figure, TaskFactory
from tests.doors.contacts.test_lists import longest_turn
from tests.services.test_category_limits import _ASSIGN_ALL, fill
from tests.support.accounts import bearer

HOLDER = str(uuid4())
LONGEST_TURN = 0.05


async def test_the_301st_write_of_an_account_within_a_minute_is_429(
    client: AsyncClient, db: Connection
) -> None:
    headers = await bearer(db, HOLDER)
    writes = [("POST", "/api/v1/tasks"), ("DELETE", f"/api/v1/categories/{uuid4()}")]
    answers = [
        await client.request(*writes[number % 2], headers=headers, json=None)
        for number in range(301)
    ]
    refused = answers.pop()
    assert Counter(answer.status_code for answer in answers) == {400: 150, 404: 150}
    assert (refused.status_code, refused.json()) == (
        429,
        {"detail": "Too many requests", "code": "too_many_requests"},
    )
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Policy"] == '"account-writes";q=300;w=60'
    for path in ("tasks", "categories"):
        assert (await client.get(f"/api/v1/{path}", headers=headers)).status_code == 200
    other = await bearer(db, uuid4())
    created = await client.post("/api/v1/tasks", json={"title": "Feed cat"}, headers=other)
    assert created.status_code == 201


async def test_too_many_categories_are_409_in_the_words_of_each_door(
    client: AsyncClient, db: Connection, execute: Execute, make_task: TaskFactory
) -> None:
    headers = await bearer(db, HOLDER)
    made = await fill(db, MOST_CATEGORIES, HOLDER)
    task = await make_task(user_id=HOLDER)
    await db.execute(_ASSIGN_ALL, task.id, made[:MOST_OF_A_TASK])
    many, full = ("A user may have at most 200 categories", "A task may have at most 50 categories")
    both = {"task_id": str(task.id), "category_id": str(made[-1])}
    answers = [
        await client.post("/api/v1/categories", json={"name": "New"}, headers=headers),
        await execute("create-category", HOLDER, name="New"),
        await client.post(f"/api/v1/tasks/{task.id}/categories/{made[-1]}", headers=headers),
        await execute("assign-category", HOLDER, **both),
    ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (409, {"detail": sentence, "code": "full"}) for sentence in (many, many, full, full)
    ]


@pytest.mark.alone
@pytest.mark.parametrize("each", [MOST_OF_A_TASK, 500], ids=["allowed", "older"])
async def test_four_lists_of_tasks_with_many_categories_keep_the_loop_for_50_ms_at_most(
    live_client: AsyncClient, database_url: str, figure: Figure, each: int
) -> None:
    db = await asyncpg.connect(database_url)
    headers, others = await bearer(db, HOLDER), await bearer(db, uuid4())
    ids = await fill(db, max(each, MOST_CATEGORIES), HOLDER)
    await db.execute(_MAKE_TASKS, HOLDER, ids[:each])
    await db.execute("VACUUM ANALYZE")
    await db.close()
    path = f"/api/v1/tasks?limit={100 if each == MOST_OF_A_TASK else 10}"
    await live_client.get(path, headers=others)
    gc.collect()  # of what the tests before left
    stop = asyncio.Event()
    watch = asyncio.create_task(longest_turn(stop))
    began = time.monotonic()
    answers = await asyncio.gather(*(live_client.get(path, headers=headers) for _ in range(4)))
    seconds = time.monotonic() - began
    stop.set()
    longest = await watch
    figure(
        f"{len(answers[0].content) / 1e6:.1f} MB each in {seconds:.1f} s, {longest * 1000:.1f} ms"
    )
    for answer in answers:
        items = json.loads(answer.content)["items"]
        assert [len(item["categories"]) for item in items] == [each] * len(items)
    assert longest < LONGEST_TURN


_MAKE_TASKS = """
WITH made AS (
    INSERT INTO tasks (user_id, title) SELECT $1, 'Task ' || n FROM generate_series(1, 100) AS n
    RETURNING id
)
INSERT INTO task_categories (user_id, task_id, category_id)
SELECT $1, made.id, one FROM made, unnest($2::uuid[]) AS one
"""


async def test_a_list_shows_each_task_with_its_own_categories_by_name(
    client: AsyncClient, db: Connection, make_task: TaskFactory
) -> None:
    headers = await bearer(db, HOLDER)
    ids = await fill(db, 12, HOLDER)
    made = [await make_task(user_id=HOLDER, title=str(number)) for number in range(13)]
    for number, task in enumerate(made):
        await db.execute(_ASSIGN_ALL, task.id, ids[:number])
    answer: Any = (await client.get("/api/v1/tasks", headers=headers)).json()
    shown = {
        item["title"]: [label["name"] for label in item["categories"]] for item in answer["items"]
    }
    names = [f"Category {number}" for number in range(1, 13)]
    assert shown == {str(number): sorted(names[:number]) for number in range(13)}
    one = (await client.get(f"/api/v1/tasks/{made[3].id}", headers=headers)).json()
    assert one in answer["items"]
