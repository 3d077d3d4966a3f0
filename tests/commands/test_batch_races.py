"""Batches, single commands and repetitions at once: one effect per id, and no deadlock."""

import asyncio
from collections import Counter
from itertools import count
from random import Random
from typing import Any

import asyncpg
from httpx import AsyncClient, Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.services import Connection
from tests.conftest import Figure
from tests.support.application import talking_to
from tests.support.batches import Command, command, create, ref, send_alone, send_batch
from tests.support.properties import explored

IDS = "abcdef"
users = (f"user-{number}" for number in count())

singles = st.sampled_from(IDS).map(lambda one: ("alone", [one]))
batches = st.tuples(
    st.sampled_from(["atomic", "independent", "broken"]),
    st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True),
)
steps = st.lists(singles | batches, min_size=1, max_size=8)
Step = tuple[str, list[str]]


def queued(one: str) -> Command:
    """What an id stands for: some ids create, and the others are completed creations."""
    return create(one, f"task {one}", status="completed" if one in "ace" else "pending")


async def take(client: AsyncClient, user: str, step: Step) -> Response:
    kind, ids = step
    if kind == "alone":
        return await send_alone(client, queued(ids[0]), user_id=user)
    commands = [queued(one) for one in ids]
    if kind == "broken":
        commands.append(command("z", "get-task", task_id=ref(ids[0]), no=1))
        commands.append(command("y", "update-task", task_id=ref("z"), status="completed"))
        commands.append(command("x", "delete-category", category_id=ref("z")))
        kind = "atomic"
    return await send_batch(client, *commands, mode=kind, user_id=user)


def told(step: Step, answer: Response) -> dict[str, Any]:
    """The data of each id that the answer tells of."""
    if answer.status_code != 200:
        return {}
    data = answer.json()["data"]
    if step[0] == "alone":
        return {step[1][0]: data}
    return {one["id"]: one["data"] for one in data["results"]}


async def assert_one_effect(db: Connection, user: str, performed: dict[str, Any]) -> None:
    rows = await db.fetch("SELECT id::text, title FROM tasks WHERE user_id = $1", user)
    assert {row["title"]: row["id"] for row in rows} == {
        f"task {one}": data["id"] for one, data in performed.items()
    }
    assert len(rows) == len(performed)
    sequences = await db.fetch(
        "SELECT sequence FROM changes WHERE user_id = $1 ORDER BY sequence", user
    )
    assert [row[0] for row in sequences] == list(range(1, len(performed) + 1))


@given(steps=steps)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_one_effect_and_one_answer_per_id_in_any_order(
    client: AsyncClient, db: Connection, steps: list[Step]
) -> None:
    user, performed = next(users), dict[str, Any]()
    for step in steps:
        answer = await take(client, user, step)
        assert answer.status_code == (404 if step[0] == "broken" else 200), answer.text
        for one, data in told(step, answer).items():
            assert performed.setdefault(one, data) == data
        await assert_one_effect(db, user, performed)


async def patiently(client: AsyncClient, user: str, step: Step) -> dict[str, Any]:
    """What is told once no other request is at the same ids any more."""
    for _ in range(50):
        answer = await take(client, user, step)
        if answer.status_code != 409 and "already_running" not in answer.text:
            return told(step, answer)
        await asyncio.sleep(0.02)
    raise AssertionError("never got its turn")


async def test_one_effect_and_one_answer_per_id_all_at_once(database_url: str) -> None:
    @given(steps=st.lists(singles | batches, min_size=4, max_size=8))
    @settings(max_examples=10, deadline=None)
    async def check(steps: list[Step]) -> None:
        user, performed = next(users), dict[str, Any]()
        for told in await asyncio.gather(*(patiently(client, user, step) for step in steps)):
            for one, data in told.items():
                assert performed.setdefault(one, data) == data
        await assert_one_effect(db, user, performed)

    db: Connection = await asyncpg.connect(database_url)
    async with talking_to(database_url) as client:
        await explored(check)
    await db.close()


async def test_overlapping_batches_beside_single_commands_never_deadlock(
    database_url: str, figure: Figure
) -> None:
    """Batches that name the same tasks in other orders, and singles that want one of them."""
    random, statuses = Random(7), Counter[int]()
    numbers = count()

    async def batch(client: AsyncClient, tasks: list[str], categories: list[str]) -> None:
        commands = [create(f"n{next(numbers)}")]
        for task in random.sample(tasks, 4):
            key = f"n{next(numbers)}"
            commands.append(command(key, "update-task", task_id=task, title=key))
        link = {"task_id": random.choice(tasks), "category_id": random.choice(categories)}
        commands.append(
            command(f"n{next(numbers)}", "update-task", task_id=ref(commands[0]["id"]), title="x")
        )
        commands.append(command(f"n{next(numbers)}", "unassign-category", **link))
        random.shuffle(commands[2:])
        answer = await send_batch(client, *commands)
        statuses[answer.status_code] += 1

    async def single(client: AsyncClient, tasks: list[str], categories: list[str]) -> None:
        key, task = f"n{next(numbers)}", random.choice(tasks)
        one = command(key, "update-task", task_id=task, status="completed")
        if next(numbers) % 4 == 0:
            category = random.choice(categories)
            one = command(key, "assign-category", task_id=task, category_id=category)
        answer = await send_alone(client, one)
        statuses[answer.status_code] += 1

    db: Connection = await asyncpg.connect(database_url)
    async with talking_to(database_url) as client:
        made = await send_batch(client, *(create(f"t{number}") for number in range(6)))
        tasks = [one["data"]["id"] for one in made.json()["data"]["results"]]
        made = await send_batch(
            client, *(command(f"k{n}", "create-category", name=f"Vet {n}") for n in range(3))
        )
        categories = [one["data"]["id"] for one in made.json()["data"]["results"]]
        for _ in range(12):
            await asyncio.gather(
                *(batch(client, tasks, categories) for _ in range(5)),
                *(single(client, tasks, categories) for _ in range(8)),
            )
    await asyncio.sleep(1.2)  # the server's figures lag by a second
    deadlocks = await db.fetchval(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )
    await db.close()
    figure(f"{statuses.total()} commands: {dict(statuses)}, {deadlocks} deadlocks")
    assert deadlocks == 0
    assert set(statuses) <= {200, 400, 404}


async def test_batches_that_claim_the_same_ids_in_other_orders_never_deadlock(
    database_url: str,
) -> None:
    db: Connection = await asyncpg.connect(database_url)
    # Statements without names, as behind an old pooler: a pipeline has to do without them too.
    async with talking_to(database_url, database_statement_cache_size=0) as client:
        forth = [create(f"id{number}", f"t{number}") for number in range(20)]
        orders = [Random(seed).sample(forth, 20) for seed in range(8)]
        answers = await asyncio.gather(
            *(send_batch(client, *order) for order in orders),
            *(send_alone(client, one) for one in forth[:10]),
        )
    assert {answer.status_code for answer in answers} == {200}
    assert await db.fetchval("SELECT count(*) FROM tasks") == 20
    assert sum(answer.json()["data"].get("applied", 0) for answer in answers[:8]) <= 20
    await db.close()
