"""What webhooks cost, and how long they take, at 200 events a second through one worker."""

import asyncio
import time

import asyncpg
import psutil
import pytest

from app.models.task import TaskFields
from app.services import tasks
from tests.conftest import Figure
from tests.support.killed_worker import start_worker
from tests.support.receiver import TASKS, add_endpoint, receiving

_RATE, _SECONDS = 200, 4
_LAGS = """
SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM attempted_at - occurred_at))
FROM webhook_deliveries WHERE attempted_at IS NOT NULL
"""


@pytest.mark.alone
async def test_a_worker_takes_hundreds_of_events_a_second(
    database_url: str, figure: Figure
) -> None:
    db = await asyncpg.connect(database_url)
    async with receiving() as receiver:
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
    lag = await db.fetchval(_LAGS)
    await db.close()
    figure(f"{cpu * 1000:.2f} ms of CPU an event, p99 {lag:.2f} s")
    assert cpu < 0.004
    assert lag < 10
