"""The receiver of `examples/webhooks.py`: verified, once, and without holes."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from standardwebhooks import Webhook

from app.models.task import TaskFields
from app.services import Connection, tasks, webhook_events
from app.services.keys import DEVELOPMENT_KEY
from app.services.users import purge_user
from app.worker.sender import new_secret
from tests.documentation.conftest import Served
from tests.support.listener import write_task
from tests.support.proxy import Proxy
from tests.support.service import ROOT, free_port

_POSITIONS = "SELECT sequence, position FROM changes WHERE user_id = $1"
_PRUNE = "DELETE FROM changes WHERE user_id = $1 AND sequence <= $2"


class Receiver(NamedTuple):
    """The example while it runs, and the line on which it reaches the service."""

    url: str
    secret: str
    output: Path
    line: Proxy

    async def tell(self, body: bytes, secret: str | None = None) -> int:
        """Sends an event as the worker does, under an id that is the event's, once it listens."""
        now, name = datetime.now(UTC), f"msg_{sha256(body).hexdigest()[:32]}"
        headers = {
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret or self.secret).sign(name, now, body.decode()),
        }
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            for _ in range(300):
                with suppress(httpx.ConnectError):
                    return (await client.post(self.url, content=body, headers=headers)).status_code
                await asyncio.sleep(0.1)
        raise AssertionError("nobody listens")

    def done(self, user_id: str) -> list[str]:
        """What it did for a user, in order."""
        lines = map(str.split, self.output.read_text().splitlines())
        return [f"{kind} {number}" for kind, user, number in lines if user == user_id]


@contextmanager
def example(url: str, secret: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The example, as the documentation runs it; its URL, and the file of what it did."""
    port, output = free_port(), folder / "done"
    told = {"SECRET": secret, "KEY": DEVELOPMENT_KEY, "URL": url, "PORT": str(port)}
    environment = {**os.environ, **told, "STATE": str(folder / "state.db")}
    with output.open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples/webhooks.py")], env=environment, stdout=stdout
        )
    try:
        yield f"http://127.0.0.1:{port}/", output
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
async def receiver(
    served: Served, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Receiver]:
    secret, port = new_secret(), urlsplit(served.url).port
    assert port is not None
    async with Proxy(port) as line:
        reached = f"http://127.0.0.1:{line.port}"
        with example(reached, secret, tmp_path_factory.mktemp("receiver")) as (url, output):
            yield Receiver(url, secret, output, line)


@pytest.fixture
async def db(served: Served) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(served.database_url)
    yield connection
    await connection.close()


async def events(db: Connection, user_id: str) -> dict[int, bytes]:
    """The bodies of a user's events, by their sequence."""
    positions = dict(map(tuple, await db.fetch(_POSITIONS, user_id)))
    bodies = await webhook_events.fetch_bodies(db, positions.values(), [user_id])
    return {sequence: bodies[position] for sequence, position in positions.items()}


async def written(db: Connection, user_id: str, count: int) -> dict[int, bytes]:
    """The events of a user with so many more tasks."""
    for _ in range(count):
        await write_task(db, user_id=user_id)
    return await events(db, user_id)


def created(*sequences: int) -> list[str]:
    return [f"task.created {number}" for number in sequences]


async def test_holes_are_filled_from_the_feed_and_nothing_is_done_twice(
    db: Connection, receiver: Receiver
) -> None:
    bodies = await written(db, "ann", 5)
    for number in (1, 2, 2, 5, 4, 3):
        assert await receiver.tell(bodies[number]) == 204
    assert await receiver.tell(bodies[1], new_secret()) == 401
    assert receiver.done("ann") == ["start 5", *created(1, 2, 3, 4, 5)]


async def test_a_hole_of_many_pages_is_filled(db: Connection, receiver: Receiver) -> None:
    assert await receiver.tell((await written(db, "ben", 1))[1]) == 204
    for _ in range(6):
        await tasks.insert_task(db, "ben", TaskFields(title="x", description="x" * 100_000))
    assert await receiver.tell((await events(db, "ben"))[7]) == 204
    assert await receiver.tell((await written(db, "ben", 1))[8]) == 204
    assert receiver.done("ben") == ["start 1", *created(*range(1, 9))]


async def test_an_event_from_before_the_first_that_came_is_acted_on_once(
    db: Connection, receiver: Receiver
) -> None:
    bodies = await written(db, "cat", 3)
    for number in (3, 1, 2, 1, 3):
        assert await receiver.tell(bodies[number]) == 204
    assert await receiver.tell((await written(db, "cat", 1))[4]) == 204
    assert receiver.done("cat") == ["start 3", *created(3, 1, 2, 4)]


async def test_a_purged_user_starts_anew(db: Connection, receiver: Receiver) -> None:
    before = await written(db, "dan", 2)
    assert await receiver.tell(before[1]) == 204
    await purge_user(db, "dan")
    purged = await events(db, "dan")
    for body in (before[2], purged[3], purged[3]):
        assert await receiver.tell(body) == 204
    assert await receiver.tell((await written(db, "dan", 1))[4]) == 204
    done = receiver.done("dan")
    assert done[:3] == ["start 2", *created(1, 2)]
    assert done.count("user.purged 3") == 1
    assert done[-2:] == ["start 0", *created(4)]


async def test_what_is_sent_before_a_purge_and_comes_after_it_brings_nothing_back(
    db: Connection, receiver: Receiver
) -> None:
    before = await written(db, "eve", 2)
    await purge_user(db, "eve")
    for number in (2, 1):
        assert await receiver.tell(before[number]) == 204
    assert set(receiver.done("eve")) == {"start 0"}


async def test_a_purged_user_who_is_back_first_keeps_what_is_new(
    db: Connection, receiver: Receiver
) -> None:
    assert await receiver.tell((await written(db, "fay", 1))[1]) == 204
    await purge_user(db, "fay")
    bodies = await written(db, "fay", 1)
    for number in (3, 2):
        assert await receiver.tell(bodies[number]) == 204
    done = receiver.done("fay")
    assert done == ["start 1", *created(1), "start 1", *created(3), "user.purged 2", "start 1"]


async def test_whoever_was_away_for_longer_than_the_log_reaches_starts_anew(
    db: Connection, receiver: Receiver
) -> None:
    assert await receiver.tell((await written(db, "gus", 1))[1]) == 204
    bodies = await written(db, "gus", 4)
    await db.execute(_PRUNE, "gus", 3)
    for number in (5, 4):
        assert await receiver.tell(bodies[number]) == 204
    assert receiver.done("gus") == ["start 1", *created(1), "start 5", *created(5, 4)]


async def test_an_event_waits_while_the_feed_is_out_of_reach(
    db: Connection, receiver: Receiver
) -> None:
    body = (await written(db, "ida", 1))[1]
    receiver.line.go_away()
    assert await receiver.tell(body) == 503
    await receiver.line.come_back()
    assert await receiver.tell(body) == 204
    assert receiver.done("ida") == ["start 1", *created(1)]


async def test_what_is_no_change_of_a_task_is_acted_on_once(receiver: Receiver) -> None:
    body = webhook_events.body("mood.changed", datetime.now(UTC), {"user_id": "joe", "to": "sad"})
    for _ in range(2):
        assert await receiver.tell(body) == 204
    assert receiver.done("joe") == ["mood.changed None"]
