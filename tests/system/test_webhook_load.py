"""What webhooks cost, and how long they take, at 200 events a second through one worker."""

import asyncio
import time
from datetime import datetime
from statistics import quantiles

import asyncpg
import psutil
import pytest

from app.models.task import TaskFields
from app.services import tasks
from tests.conftest import Figure
from tests.support.killed_worker import start_worker
from tests.support.receiver import TASKS, Received, add_endpoint, answered, receiving

_RATE, _SECONDS = 200, 4
_NOTED = """
SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM attempted_at - occurred_at))
FROM webhook_deliveries WHERE attempted_at IS NOT NULL
"""


class Arrivals:
    """For how long each event was under way, in the order of arrival."""

    def __init__(self) -> None:
        self.lags: list[float] = []

    def __call__(self, received: Received) -> bytes:
        occurred_at = datetime.fromisoformat(received.event["data"]["occurred_at"])
        self.lags.append(time.time() - occurred_at.timestamp())
        return answered(204)

    def p99(self, since: int = 0) -> float:
        return quantiles(self.lags[since:], n=100)[-1]


@pytest.mark.alone
async def test_a_worker_takes_hundreds_of_events_a_second(
    database_url: str, figure: Figure
) -> None:
    db, arrivals = await asyncpg.connect(database_url), Arrivals()
    async with receiving() as receiver:
        receiver.answer = arrivals
        await add_endpoint(db, receiver.url, TASKS)
        worker = start_worker(database_url)
        while not await db.fetchval("SELECT count(*) FROM consumers"):
            await asyncio.sleep(0.05)
        process = psutil.Process(worker.pid)
        before, began = sum(process.cpu_times()[:2]), time.monotonic()
        for number in range(_RATE * _SECONDS):
            fields = TaskFields(title="x")
            await tasks.insert_task(db, f"user-{number % 100}", fields)
            await asyncio.sleep(max(0.0, began + number / _RATE - time.monotonic()))
        async with asyncio.timeout(30):
            while len(receiver.received) < _RATE * _SECONDS:
                await asyncio.sleep(0.05)
        cpu = (sum(process.cpu_times()[:2]) - before) / len(receiver.received)
        await asyncio.sleep(0.5)  # the last are noted
        worker.kill()
    noted = await db.fetchval(_NOTED)
    await db.close()
    warm = arrivals.p99(since=_RATE)
    figure(
        f"{cpu * 1000:.2f} ms of CPU an event; p99 to arrival {warm:.2f} s after the first second, "
        f"{arrivals.p99():.2f} s with it; to the note of the answer {noted:.2f} s"
    )
    assert cpu <= 0.002
    assert noted < 10
    assert warm <= 2.5
