"""The receiver of `examples/webhooks.py`: verified, once, and without holes."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
from standardwebhooks import Webhook

from app.services.keys import DEVELOPMENT_KEY
from app.services.webhook_events import fetch_bodies
from app.worker.sender import new_secret
from tests.support.listener import write_task
from tests.support.service import ROOT, free_port, running


@contextmanager
def example(url: str, secret: str, folder: Path) -> Iterator[str]:
    """The example, as the documentation runs it; its URL. What it did is in `done`."""
    port = free_port()
    told = {"SECRET": secret, "KEY": DEVELOPMENT_KEY, "URL": url, "PORT": str(port)}
    environment = {**os.environ, **told, "STATE": str(folder / "state.db")}
    with (folder / "done").open("wb") as done:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples/webhooks.py")], env=environment, stdout=done
        )
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        process.wait()


async def tell(url: str, secret: str, number: int, body: bytes) -> int:
    """Sends an event as the worker does, once somebody listens."""
    now = datetime.now(UTC)
    headers = {
        "webhook-id": f"msg_{number}",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(f"msg_{number}", now, body.decode()),
    }
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(100):
            with suppress(httpx.ConnectError):
                return (await client.post(url, content=body, headers=headers)).status_code
            await asyncio.sleep(0.1)
    raise AssertionError("nobody listens")


async def test_holes_are_filled_from_the_feed_and_nothing_is_done_twice(
    database_url: str, tmp_path: Path
) -> None:
    secret = new_secret()
    db = await asyncpg.connect(database_url)
    for _ in range(5):
        await write_task(db, user_id="ann")
    bodies = await fetch_bodies(db, range(1, 6), ["ann"])
    await db.close()
    with (
        running("serve", DATABASE_URL=database_url, LOG_LEVEL="ERROR") as (url, _),
        example(url, secret, tmp_path) as receiver,
    ):
        for number in (1, 2, 2, 5, 4, 3):
            assert await tell(receiver, secret, number, bodies[number]) == 204
        assert await tell(receiver, new_secret(), 6, bodies[1]) == 401
    done = (tmp_path / "done").read_text().splitlines()
    assert done == [f"task.created ann {number}" for number in range(1, 6)]
