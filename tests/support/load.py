"""Clients that press hard on a service in another process, over bare sockets."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.services.keys import DEVELOPMENT_KEY

_HEAD = "POST /execute HTTP/1.1\r\nHost: test\r\nX-Service-Key: {}\r\n{}Content-Type: {}\r\n"


@dataclass
class Tally:
    """What became of the requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    resets: int = 0
    refused: int = 0


class Client:
    """One kept-alive connection, opened again when the server asks for it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def execute(self, action: str, user_id: str, **payload: Any) -> tuple[int, Any]:
        """Status and answer; OSError where nobody listens, EOFError where the answer is cut."""
        options = {"idempotency_key": key} if (key := payload.pop("key", None)) else {}
        command = {"action": action, "user_id": user_id, "payload": payload, "options": options}
        body = json.dumps(command).encode()
        head = _HEAD.format(DEVELOPMENT_KEY, f"Content-Length: {len(body)}\r\n", "application/json")
        reader, writer = self._streams or await asyncio.open_connection(*self._address)
        self._streams = (reader, writer)
        try:
            writer.write(f"{head}\r\n".encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(answer.partition("content-length: ")[2].partition("\r\n")[0])
            content = json.loads(await reader.readexactly(length))
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            self.close()
            raise EOFError from error
        if "connection: close" in answer:
            self.close()
        return int(answer.split()[1]), content

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None


async def create_tasks(url: str, number: int, tally: Tally) -> None:
    """Creates tasks until nobody listens any more; notes what was acknowledged and what was cut."""
    client = Client(url)
    for attempt in range(1_000_000):
        title = f"{number}-{attempt}"
        try:
            status, _ = await client.execute("create-task", f"user-{number}", title=title)
        except EOFError:
            tally.resets += 1
        except OSError:
            tally.refused += 1
            return
        else:
            tally.statuses[status] += 1
            if status == 200:
                tally.acknowledged.append(title)
