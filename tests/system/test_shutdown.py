"""A stopping service loses nothing it acknowledged and resets nothing it accepted."""

import asyncio
import signal
import sys
from time import monotonic

import asyncpg
import psutil
import pytest

from tests.conftest import Figure
from tests.support.load import Tally, create_tasks
from tests.support.service import running

pytestmark = pytest.mark.alone

CLIENTS = 32


@pytest.mark.parametrize("attempt", range(3))
async def test_sigterm_under_load_loses_and_resets_nothing(
    database_url: str, figure: Figure, attempt: int
) -> None:
    tally = Tally()
    settings = {"WEB_CONCURRENCY": "2", "SHUTDOWN_DELAY": "1", "LOG_LEVEL": "ERROR"}
    with running("serve", DATABASE_URL=database_url, **settings) as (url, process):
        clients = [
            asyncio.create_task(create_tasks(url, number, tally)) for number in range(CLIENTS)
        ]
        await asyncio.sleep(1)
        process.send_signal(signal.SIGTERM)
        told = monotonic()
        await asyncio.gather(*clients)
        # Long before the master kills what is left, however busy the service is.
        assert await asyncio.to_thread(process.wait, 20) == 0
        left_after = monotonic() - told

    assert left_after < 15
    assert tally.resets == 0
    assert tally.refused == CLIENTS
    assert tally.statuses.keys() == {200}
    connection = await asyncpg.connect(database_url)
    stored = [row["title"] for row in await connection.fetch("SELECT title FROM tasks")]
    await connection.close()
    assert sorted(stored) == sorted(tally.acknowledged)
    figure(f"{len(stored)} writes acknowledged, 0 lost, 0 doubled, 0 resets")


async def more_writes(tally: Tally, number: int = 100) -> int:
    """How many writes are acknowledged in all, once so many more are: new workers need time."""
    before = len(tally.acknowledged)
    while len(tally.acknowledged) < before + number:
        await asyncio.sleep(0.05)
    return len(tally.acknowledged)


_SHORT_LIVED = """
from unittest.mock import patch
from app.cli import cli
from app.server import gunicorn
with patch.object(gunicorn, "MOST_REQUESTS", 500):
    cli()
"""


async def test_replacing_workers_under_load_resets_nothing(
    database_url: str, figure: Figure
) -> None:
    tally = Tally()
    settings = {"WEB_CONCURRENCY": "2", "SHUTDOWN_DELAY": "0.5", "LOG_LEVEL": "ERROR"}
    command = (sys.executable, "-c", _SHORT_LIVED)
    with running("serve", command=command, DATABASE_URL=database_url, **settings) as started:
        url, process = started
        first = set(psutil.Process(process.pid).children())
        clients = [asyncio.create_task(create_tasks(url, number, tally)) for number in range(8)]
        async with asyncio.timeout(60):
            while not first.isdisjoint(psutil.Process(process.pid).children()):
                await asyncio.sleep(0.1)
            by_the_first = len(tally.acknowledged)
            await more_writes(tally)
        process.send_signal(signal.SIGTERM)
        await asyncio.gather(*clients)

    assert tally.resets == 0
    assert tally.statuses.keys() == {200}
    figure(f"two workers replaced during {by_the_first} writes, 0 resets")


async def test_a_new_version_is_rolled_out_under_load_without_a_failed_request(
    database_url: str, figure: Figure
) -> None:
    """Migrate first, then replace the workers: the old code meets the new schema for a while."""
    tally = Tally()
    settings = {"WEB_CONCURRENCY": "2", "SHUTDOWN_DELAY": "0.5", "LOG_LEVEL": "ERROR"}
    with running("serve", DATABASE_URL=database_url, **settings) as (url, process):
        first = set(psutil.Process(process.pid).children())
        clients = [asyncio.create_task(create_tasks(url, number, tally)) for number in range(16)]
        before = await more_writes(tally)
        db = await asyncpg.connect(database_url)
        await db.execute("ALTER TABLE tasks ADD COLUMN mood TEXT NOT NULL DEFAULT 'content'")
        between = await more_writes(tally) - before
        process.send_signal(signal.SIGHUP)  # gunicorn starts new workers, then ends the old
        async with asyncio.timeout(60):
            while not first.isdisjoint(psutil.Process(process.pid).children()):
                await asyncio.sleep(0.1)
            after = await more_writes(tally) - before - between
        process.send_signal(signal.SIGTERM)
        await asyncio.gather(*clients)
        stored = await db.fetchval("SELECT count(*) FROM tasks WHERE mood = 'content'")
        await db.close()

    assert tally.resets == 0
    assert tally.statuses.keys() == {200}
    assert stored == len(tally.acknowledged)
    assert min(before, between, after) > 0
    figure(f"{before} + {between} + {after} writes before, between and after, 0 failed")
