"""HTTP by hand, over bare sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI
from uvicorn.server import ServerState

from app.server.protocol import BoundedProtocol


class Answer(NamedTuple):
    """An answer; the names of its headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[int]:
    """The port on which the application is served by our protocol."""
    config = uvicorn.Config(
        app, http=BoundedProtocol, lifespan="off", log_config=None, timeout_keep_alive=1
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedProtocol(config=config, server_state=state, app_state={}), "127.0.0.1"
    )
    yield server.sockets[0].getsockname()[1]
    server.close()
    if state.tasks:  # of whoever was refused meanwhile
        await asyncio.wait(state.tasks, timeout=5)


async def exchange(port: int, *chunks: bytes) -> list[Answer]:
    """Sends the chunks on one connection; all answers until the server closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
    answers = []
    async with asyncio.timeout(20):
        while head := await _head(reader):
            answers.append(await _rest(reader, head))
    writer.close()
    return answers


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial


async def _rest(reader: asyncio.StreamReader, head: bytes) -> Answer:
    status, *lines = head.decode().lower().split("\r\n")[:-2]
    headers = dict(line.split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Answer(int(status.split()[1]), headers, body)


async def answer(port: int, *chunks: bytes) -> tuple[int, dict[str, str], object]:
    """The only answer on a connection that ends with it; its body as JSON."""
    ((status, headers, body),) = await exchange(port, *chunks)
    return status, headers, json.loads(body)
