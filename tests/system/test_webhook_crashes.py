"""Workers, the database and the receiver fail in turn: no event is lost."""

import asyncio
import random
import signal
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from app.models.task import TaskFields
from app.services import tasks
from tests.conftest import Figure
from tests.support.killed_worker import start_worker
from tests.support.postgres import Server
from tests.support.receiver import TASKS, Received, add_endpoint, answered, receiving
from tests.system.test_faults import server

__all__ = ["server"]
_EVENTS, _KILLS, _USERS = 2000, 50, 25
_AWAY = (
    *(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError),
    asyncpg.InternalClientError,  # it broke between two statements
)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    db = await asyncpg.connect(url, timeout=2)
    try:
        yield db
    finally:
        db.terminate()


async def write(url: str) -> None:
    """Writes through crashes; what was not acknowledged may be there all the same."""
    written = 0
    while written < _EVENTS:
        with suppress(*_AWAY):
            async with connected(url) as db:
                while written < _EVENTS:
                    await tasks.insert_task(db, f"user-{written % _USERS}", TaskFields(title="x"))
                    written += 1
                    if written % 40 == 0:
                        await asyncio.sleep(0.1)
        await asyncio.sleep(0.05)


_PAUSES_OVER = """
    UPDATE webhook_deliveries SET due_at = least(due_at, now()), failures = least(failures, 5)
    WHERE due_at IS NOT NULL AND claimed_until IS NULL
"""
_CLAIMS_OVER = "UPDATE webhook_deliveries SET claimed_until = now() WHERE claimed_until IS NOT NULL"


async def pass_time(url: str, *statements: str) -> None:
    """As if the pauses between attempts were over, and what killed workers had claimed."""
    with suppress(*_AWAY):
        async with connected(url) as db:
            for statement in statements:
                await db.execute(statement)


async def count_changes(url: str) -> int:
    async with connected(url) as db:
        count: int = await db.fetchval("SELECT count(*) FROM changes WHERE kind = 'task'")
    return count


class Failing:
    """Answers half of the requests with 500 or not at all; notes the others."""

    def __init__(self) -> None:
        self.taken: list[Received] = []
        self._chance = random.Random(7)

    def __call__(self, received: Received) -> bytes | float:
        luck = self._chance.random()
        if luck < 0.45:
            return answered(500)
        if luck < 0.5:
            return 0.0
        self.taken.append(received)
        return answered(204)


async def test_nothing_is_lost_while_everything_fails(server: Server, figure: Figure) -> None:
    failing, chance = Failing(), random.Random(7)
    async with receiving() as receiver:
        receiver.answer = failing
        async with connected(server.url) as db:
            await add_endpoint(db, receiver.url, TASKS)
        writing = asyncio.create_task(write(server.url))
        workers = [start_worker(server.url) for _ in range(2)]
        for kill in range(_KILLS):
            await asyncio.sleep(chance.uniform(0.1, 0.4))
            workers[kill % 2].kill()
            workers[kill % 2] = start_worker(server.url)
            await pass_time(server.url, _CLAIMS_OVER, _PAUSES_OVER)
            if kill in {15, 35}:
                await asyncio.to_thread(server.signal, signal.SIGKILL)
                await asyncio.to_thread(server.start)
        await writing
        expected = await count_changes(server.url)
        async with asyncio.timeout(90):
            while len({one.id for one in failing.taken}) < expected:
                await asyncio.sleep(0.5)
                await pass_time(server.url, _PAUSES_OVER)
        for worker in workers:
            worker.kill()
    told = defaultdict(set)
    ids: dict[tuple[str, int], str] = {}
    for one in receiver.received:
        data = one.event["data"]
        assert ids.setdefault((data["user_id"], data["sequence"]), one.id) == one.id
    for one in failing.taken:
        data = one.event["data"]
        told[data["user_id"]].add(data["sequence"])
    assert sum(map(len, told.values())) == expected >= _EVENTS
    assert all(sequences == set(range(1, len(sequences) + 1)) for sequences in told.values())
    attempts, twice = len(receiver.received), len(failing.taken) - expected
    figure(f"{expected} events, {attempts} attempts, {twice} told twice, 0 lost, {_KILLS} kills")
