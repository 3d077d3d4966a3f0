"""A streaming replica answers lists and statistics, and nobody sees what is no longer true."""

import asyncio
import signal
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from httpx import AsyncClient

from app.database import embedded, migrations
from app.metrics import REPLICA_READS
from app.models.task_list import PAGE_SIZE
from tests.conftest import OPEN_DOORS, SERVICE_HEADERS, Figure
from tests.doors.test_user_tasks import bearer
from tests.support.replica import Pair, connect, running_pair
from tests.system.test_faults import send, service


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with running_pair() as pair:
        yield pair


@pytest.fixture
def user() -> str:
    return f"user-{uuid4()}"


def answered() -> float:
    """How many reads the replica has answered so far."""
    return float(REPLICA_READS.labels("answered")._value.get())


async def create(client: AsyncClient, user: str, title: str) -> str:
    command = {"action": "create-task", "user_id": user, "payload": {"title": title}}
    answer = await send(client, command)
    assert answer.status_code == 200, answer.text
    task_id: str = answer.json()["data"]["id"]
    return task_id


async def titles(client: AsyncClient, user: str) -> list[str]:
    answer = await send(client, {"action": "list-tasks", "user_id": user})
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json()["data"]["tasks"]]


async def total(client: AsyncClient, user: str) -> int:
    answer = await send(client, {"action": "get-stats", "user_id": user})
    assert answer.status_code == 200, answer.text
    tasks: int = answer.json()["data"]["total_tasks"]
    return tasks


async def stats(client: AsyncClient, user: str) -> int:
    answer = await client.get("/stats", params={"user_id": user}, headers=SERVICE_HEADERS)
    assert answer.status_code == 200, answer.text
    tasks: int = answer.json()["total_tasks"]
    return tasks


async def test_replica_answers_lists_and_statistics(pair: Pair, user: str) -> None:
    async with pair.service() as client:
        await create(client, user, "Feed cat")
        await pair.catch_up()
        before = answered()
        assert await titles(client, user) == ["Feed cat"]
        assert await total(client, user) == 1
        assert await stats(client, user) == 1
        assert answered() == before + 3


async def test_replica_answers_the_lists_of_doors(pair: Pair, user: str) -> None:
    async with pair.service(**OPEN_DOORS) as client:
        await create(client, user, "Feed cat")
        await pair.catch_up()
        before = answered()
        answer = await client.get(f"/api/{user}/tasks", headers=bearer(user))
        assert [task["title"] for task in answer.json()["tasks"]] == ["Feed cat"]
        assert answered() == before + 1


async def day_end(client: AsyncClient, user: str) -> str:
    answer = await client.get("/mood", params={"user_id": user}, headers=SERVICE_HEADERS)
    assert answer.status_code == 200, answer.text
    until: str = answer.json()["valid_until"]
    return until[11:16]


async def test_replica_answers_the_mood_by_no_preference_that_was_replaced(
    pair: Pair, user: str
) -> None:
    async with pair.service() as writing, pair.service() as reading:
        for zone, end in (("Asia/Tokyo", "15:00"), ("Asia/Kolkata", "18:30")):
            payload = {"time_zone": zone}
            await send(writing, {"action": "set-preferences", "user_id": user, "payload": payload})
            await pair.catch_up()
            before = answered()
            assert await day_end(reading, user) == end
            assert answered() == before + 1
        async with pair.lagging():
            payload = {"time_zone": "Asia/Dhaka"}
            await send(writing, {"action": "set-preferences", "user_id": user, "payload": payload})
            assert await day_end(reading, user) == "18:00"


async def test_who_has_written_sees_it_on_every_worker(pair: Pair, user: str) -> None:
    async with pair.service() as writing, pair.service() as reading, pair.lagging():
        task_id = await create(writing, user, "Feed cat")
        assert await titles(reading, user) == ["Feed cat"]
        assert await total(reading, user) == 1
        assert await stats(reading, user) == 1
        payload = {"task_id": task_id, "title": "Feed both cats"}
        await send(writing, {"action": "update-task", "user_id": user, "payload": payload})
        assert await titles(reading, user) == ["Feed both cats"]
        payload = {"task_id": task_id}
        await send(writing, {"action": "delete-task", "user_id": user, "payload": payload})
        assert await titles(reading, user) == []


async def test_only_who_has_written_turns_to_the_primary(pair: Pair, user: str) -> None:
    other = f"{user}-other"
    async with pair.service() as client:
        await create(client, user, "Feed cat")
        async with pair.lagging():
            await create(client, other, "Feed dog")
            before = answered()
            assert await titles(client, other) == ["Feed dog"]
            assert answered() == before
            assert await titles(client, user) == ["Feed cat"]
            assert answered() == before + 1
        await pair.catch_up()
        assert await titles(client, other) == ["Feed dog"]
        assert answered() == before + 2


async def test_stats_may_lag_where_the_setting_says_so(pair: Pair, user: str) -> None:
    async with pair.service() as exact, pair.service(stats_may_lag=True) as lagging:
        async with pair.lagging():
            await create(exact, user, "Feed cat")
            assert await stats(lagging, user) == 0
            assert await total(lagging, user) == 1
            assert await stats(exact, user) == 1
        await pair.catch_up()
        assert await stats(lagging, user) == 1


async def test_nothing_overwritten_is_ever_shown_while_the_replica_comes_behind(
    pair: Pair, user: str, figure: Figure
) -> None:
    replica = await connect(pair.replica)
    await replica.execute("ALTER SYSTEM SET recovery_min_apply_delay = '20ms'")
    await replica.execute("SELECT pg_reload_conf()")
    before, stale = answered(), 0

    async def write_and_read(number: int) -> None:
        nonlocal stale
        owner = f"{user}-{number}"
        for written in range(1, 31):
            await create(writing, owner, str(written))
            for _ in range(5):
                seen = await titles(reading, owner)
                stale += seen != [str(title) for title in range(written, 0, -1)]
                await asyncio.sleep(0.008)

    async with pair.service() as writing, pair.service() as reading:
        await asyncio.gather(*map(write_and_read, range(8)))
    await replica.execute("ALTER SYSTEM RESET recovery_min_apply_delay")
    await replica.execute("SELECT pg_reload_conf()")
    await replica.close()
    by_replica = int(answered() - before)
    figure(f"1200 reads, {by_replica} by the replica, {stale} stale")
    assert stale == 0
    assert 0 < by_replica < 1200


async def test_long_list_outlives_the_replica(pair: Pair, user: str) -> None:
    count = 4 * PAGE_SIZE - 1
    primary = await connect(pair.primary)
    insert = "INSERT INTO tasks (user_id, title) SELECT $1, g FROM generate_series(1, $2::int) AS g"
    await primary.execute(insert, user, count)
    await primary.close()
    await pair.catch_up()
    async with pair.service() as client:
        before = answered()
        assert len(await titles(client, user)) == count
        parts = answered() - before
        assert parts == 4

        listing = asyncio.create_task(titles(client, user))
        while answered() == before + parts:
            await asyncio.sleep(0)
        pair.replica.signal(signal.SIGKILL)
        assert len(set(await listing)) == count
        assert answered() < before + 2 * parts
    pair.replica.start()


@pytest.mark.alone
async def test_killed_replica_fails_no_read_and_is_used_again(
    pair: Pair, user: str, figure: Figure
) -> None:
    async with pair.service() as client:
        await create(client, user, "Feed cat")
        await pair.catch_up()
        assert await titles(client, user) == ["Feed cat"]
        pair.replica.signal(signal.SIGKILL)
        started = time.monotonic()
        reads = await asyncio.gather(*(titles(client, user) for _ in range(50)))
        seconds = time.monotonic() - started
        assert reads == [["Feed cat"]] * 50
        await asyncio.to_thread(pair.replica.start)
        back = await seconds_until_used(client, user)
        figure(f"50 reads in {seconds:.2f} s without it; used again after {back:.2f} s")
        assert seconds < 1
        assert back < 3


@pytest.mark.alone
async def test_frozen_replica_delays_only_who_was_under_way(
    pair: Pair, user: str, figure: Figure
) -> None:
    async with pair.service() as client:
        await create(client, user, "Feed cat")
        await pair.catch_up()
        assert await titles(client, user) == ["Feed cat"]
        pair.replica.signal(signal.SIGSTOP)
        try:
            slow = max(await asyncio.gather(*(timed(client, user) for _ in range(50))))
            fast = max(await asyncio.gather(*(timed(client, user) for _ in range(50))))
        finally:
            pair.replica.signal(signal.SIGCONT)
        back = await seconds_until_used(client, user)
        figure(f"50 reads in {slow:.2f} s, the next 50 in {fast:.2f} s; used again: {back:.2f} s")
        assert slow < 3
        assert fast < 1
        assert back < 3


async def timed(client: AsyncClient, user: str) -> float:
    started = time.monotonic()
    assert await titles(client, user) == ["Feed cat"]
    return time.monotonic() - started


async def seconds_until_used(client: AsyncClient, user: str) -> float:
    """Reading all the time; every read is answered."""
    started, before = time.monotonic(), answered()
    while answered() == before:
        assert await titles(client, user) == ["Feed cat"]
        await asyncio.sleep(0.02)
        assert time.monotonic() - started < 10
    return time.monotonic() - started


async def test_replica_that_never_was_there_is_not_missed(pair: Pair, user: str) -> None:
    async with pair.service(database_replica_url="postgresql://u@127.0.0.1:1/none") as client:
        await create(client, user, "Feed cat")
        assert await titles(client, user) == ["Feed cat"]
        assert await stats(client, user) == 1


async def test_replica_that_has_not_replayed_a_migration_is_passed_over(
    pair: Pair, user: str
) -> None:
    database = f"late_{uuid4().hex}"
    await embedded.create_database(pair.primary.handle, database)
    primary, replica = (
        server.url.replace(embedded.DATABASE, database) for server in (pair.primary, pair.replica)
    )
    async with pair.lagging():
        await asyncio.to_thread(migrations.upgrade, primary)
        async with service(primary, database_replica_url=replica) as client:
            assert await titles(client, user) == []
            await create(client, user, "Feed cat")
            assert await titles(client, user) == ["Feed cat"]


async def test_what_is_no_replica_is_passed_over(pair: Pair, user: str) -> None:
    """As a promoted one is, beside a primary that went on."""
    database = f"stray_{uuid4().hex}"
    stray = await embedded.create_database(pair.primary.handle, database)
    await asyncio.to_thread(migrations.upgrade, stray)
    async with pair.service(database_replica_url=stray) as client:
        assert await titles(client, user) == []
        other = f"{user}-other"
        async with service(stray) as rival:
            await create(rival, other, "Feed dog")
        assert await titles(client, other) == []
