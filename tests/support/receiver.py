"""A receiver of webhooks that remembers what it was told, and can misbehave."""

import asyncio
import json
from asyncio import Event
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, get_args

from app.config import Settings
from app.database import Database
from app.database.encryption import Cipher
from app.models.webhook import Endpoint, EventType, NewEndpoint
from app.services import Connection, webhooks
from app.worker.addresses import Addresses
from app.worker.moods import Moods
from app.worker.sender import Sender, new_secret
from app.worker.webhooks import Webhooks
from tests.support.listener import write_task

KEY = "dev-encryption-key-replace-in-production-00="
CIPHER = Cipher(KEY)
LOCAL = "127.0.0.0/8"
TASKS = [kind for kind in get_args(EventType) if kind.startswith("task.")]

Answering = Callable[["Received"], bytes | float]
"""What is answered: the head of a response, or for how many seconds nothing is."""


class Dribbling(float):
    """For so many seconds an answer that has begun does not end."""


async def _waste(writer: asyncio.StreamWriter, seconds: float, *, dribbling: bool) -> None:
    for byte in answered(200, body="x" * 1000):
        if seconds <= 0:
            return
        if dribbling:
            writer.write(bytes([byte]))
        await asyncio.sleep(0.1)
        seconds -= 0.1


class Received(NamedTuple):
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def type(self) -> str:
        kind: str = self.event["type"]
        return kind


def answered(status: int, headers: str = "", body: str = "") -> bytes:
    """A whole response."""
    head = f"HTTP/1.1 {status} It\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return (head + body).encode()


class Receiver:
    """Answers 204 unless `answer` says otherwise."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self.answer: Answering = lambda _: answered(204)
        self.url = ""
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
                pairs = (line.split(": ", 1) for line in lines)
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                received = Received(headers, body)
                self.received.append(received)
                answer = self.answer(received)
                if isinstance(answer, float):
                    await _waste(writer, answer, dribbling=isinstance(answer, Dribbling))
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    async def close(self) -> None:
        """Ends all connections."""
        for serving in self._serving:
            serving.cancel()
        if self._serving:
            await asyncio.wait(self._serving)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()
        await receiver.close()


def open_sender(allowed: str | None = LOCAL) -> Sender:
    """A sender of a development service that may send to this machine."""
    return Sender(CIPHER, Addresses(allowed), plain=True)


async def add_endpoint(
    db: Connection, url: str, events: list[str], **more: Any
) -> tuple[Endpoint, str]:
    """Adds an endpoint, and returns it with its secret."""
    secret = new_secret()
    new = NewEndpoint(url=url, events=events, **more)
    return await webhooks.insert_endpoint(db, new, CIPHER.encrypt(secret)), secret


async def rounds(worker: Webhooks, count: int = 3) -> None:
    """So many rounds, each with all that it began ended."""
    for _ in range(count):
        await worker.work()
        await worker.settle()
        await look_at_moods(Moods(worker._database))


async def look_at_moods(moods: Moods) -> None:
    """At all that are due."""
    while await moods.work() == 0:
        pass


async def deliveries(db: Connection) -> list[dict[str, Any]]:
    return [
        dict(row) for row in await db.fetch("SELECT * FROM webhook_deliveries ORDER BY position")
    ]


async def due_now(db: Connection) -> None:
    await db.execute(
        "UPDATE webhook_deliveries SET due_at = now() - interval '1 s' WHERE due_at IS NOT NULL"
    )


async def told_by_two_workers(db: Connection, url: str, receiver: Receiver) -> None:
    """Has two workers on this database tell a hundred events of seven users, each once."""
    await add_endpoint(db, receiver.url, TASKS)
    settings = Settings(database_url=url, log_level="ERROR")
    opened, sender, stopping = [Database(settings), Database(settings)], open_sender(), Event()
    for database in opened:
        await database.open()
    workers = [asyncio.create_task(Webhooks(each, sender).run(stopping)) for each in opened]
    for number in range(100):
        await write_task(db, user_id=f"user-{number % 7}")
    async with asyncio.timeout(30):
        while len(receiver.received) < 100:
            await asyncio.sleep(0.05)
    stopping.set()
    await asyncio.gather(*workers)
    await sender.close()
    for database in opened:
        await database.close()
    assert len({one.id for one in receiver.received}) == len(receiver.received) == 100
