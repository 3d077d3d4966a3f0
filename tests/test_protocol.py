"""Requests whose head is no decent HTTP, over a bare socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvicorn
from fastapi import FastAPI
from uvicorn.server import ServerState

from app import protocol
from app.protocol import BoundedProtocol


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    config = uvicorn.Config(app, http=BoundedProtocol, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedProtocol(config=config, server_state=state, app_state={}), "127.0.0.1"
    )
    yield server.sockets[0].getsockname()[1]
    server.close()


async def answer(port: int, *chunks: bytes) -> tuple[int, dict[str, str], object]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.decode().lower().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), json.loads(body)


def assert_refused(answered: tuple[int, dict[str, str], object], status: int) -> None:
    assert answered[0] == status
    assert len(answered[1]["x-request-id"]) == 32
    assert answered[1]["x-content-type-options"] == "nosniff"
    assert isinstance(answered[2], dict)
    assert answered[2]["detail"]


async def test_a_head_over_64_kib_is_431(port: int) -> None:
    flood = [b"x-%d: %b\r\n" % (number, b"y" * 1000) for number in range(100)]
    assert_refused(await answer(port, b"GET / HTTP/1.1\r\nhost: test\r\n", *flood), 431)


async def test_a_slow_head_is_408(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    assert_refused(await answer(port, b"GET / HTTP/1.1\r\nhost: te"), 408)


@pytest.mark.parametrize("request_line", [b"GET /\xff HTTP/1.1", b"nonsense"])
async def test_what_is_not_http_is_400_in_json(port: int, request_line: bytes) -> None:
    assert_refused(await answer(port, request_line + b"\r\nhost: test\r\n\r\n"), 400)


async def test_a_head_in_pieces_is_served(port: int) -> None:
    head = b"GET /health/live HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
    answered = await answer(port, head[:10], head[10:40], head[40:])
    assert answered[0] == 200
