"""The feed while the database is killed: what was acknowledged is in it, once, without a gap."""

import asyncio
import signal
from typing import Any

from httpx import AsyncClient

from tests.support.postgres import Server
from tests.system.test_faults import send, server, service

__all__ = ["server"]
_USER = "crash"


async def until_answered(
    client: AsyncClient, action: str, key: str = "", **payload: Any
) -> dict[str, Any]:
    command = {"action": action, "user_id": _USER, "payload": payload}
    while (answer := await send(client, command, key)).status_code != 200:
        await asyncio.sleep(0.05)
    data: dict[str, Any] = answer.json()["data"]
    return data


async def write(client: AsyncClient, writer: int) -> None:
    for number in range(15):
        key = f"{writer}-{number}"
        task = await until_answered(client, "create-task", key, title=key)
        change = {"task_id": task["id"], "status": "completed"}
        await until_answered(client, "update-task", f"{key}-done", **change)


async def follow(client: AsyncClient, cursor: str, writing: asyncio.Future[Any]) -> list[Any]:
    found: list[Any] = []
    while True:
        is_last = writing.done()
        page = await until_answered(client, "list-changes", cursor=cursor, limit=9)
        found += page["changes"]
        cursor = page["cursor"]
        if is_last and not page["changes"]:
            return found


async def test_the_feed_through_two_crashes_has_each_write_once(server: Server) -> None:
    async with service(server.url) as client:
        begun = (await until_answered(client, "list-changes"))["cursor"]
        writing = asyncio.gather(*(write(client, writer) for writer in range(8)))
        following = asyncio.create_task(follow(client, begun, writing))
        for _ in range(2):
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.signal, signal.SIGKILL)
            await asyncio.to_thread(server.start)
        await writing
        found = await following
    assert [change["sequence"] for change in found] == list(range(1, 241))
    ids = {change["command_id"] for change in found}
    assert ids == {f"{w}-{n}{end}" for w in range(8) for n in range(15) for end in ("", "-done")}
    assert sorted({change["type"] for change in found}) == ["task.completed", "task.created"]
