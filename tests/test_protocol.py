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
from tests.conftest import ADMIN_HEADERS, SERVICE_HEADERS


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
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


CLOSING = b"host: test\r\nconnection: close\r\n"
COMMAND = b'{"action": "get-stats", "user_id": "user_123"}'
IN_CHUNKS = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n" % (len(COMMAND), COMMAND)
IN_ONE = b"content-length: %d\r\n\r\n%b" % (len(COMMAND), COMMAND)


@pytest.mark.parametrize("flood", [b"x-a: b\r\n" * 20_000, b"x" * 200_000], ids=["many", "one"])
async def test_trailers_over_64_kib_end_the_connection(port: int, flood: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /execute HTTP/1.1\r\nhost: test\r\n" + IN_CHUNKS)
    assert b" 401 " in await reader.readline()
    with suppress(ConnectionError):
        for _ in range(10):
            writer.write(flood)
            await writer.drain()
        await asyncio.wait_for(reader.read(), 5)
    writer.close()


async def test_a_trailer_is_no_header(port: int) -> None:
    trailer = f"x-admin-key: {ADMIN_HEADERS['X-Admin-Key']}\r\n\r\n".encode()
    head = b"POST /admin/service-keys HTTP/1.1\r\n" + CLOSING
    assert (await answer(port, head + IN_CHUNKS + trailer))[0] == 401


@pytest.mark.parametrize("body", [IN_ONE, IN_CHUNKS + b"\r\n"], ids=["length", "chunks"])
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
async def test_a_command_that_offers_another_protocol_is_performed(
    port: int, body: bytes, protocol: bytes
) -> None:
    key = f"x-service-key: {SERVICE_HEADERS['X-Service-Key']}\r\n".encode()
    offer = b"upgrade: %b\r\nconnection: upgrade, close\r\n" % protocol
    head = (
        b"POST /execute HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n" + key + offer
    )
    whole, start = await answer(port, head + body), len(body) - len(COMMAND) // 2
    in_pieces = await answer(port, head, body[:start], body[start:])
    assert whole[0] == in_pieces[0] == 200


async def test_a_thousand_offers_at_once_are_passed_over(port: int) -> None:
    offer = (
        b"GET /health/live HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(offer * 1000 + b"GET /health/live HTTP/1.1\r\n" + CLOSING + b"\r\n")
    answers = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answers.count(b"HTTP/1.1 200 OK") == 1001


async def test_a_proxy_it_is_not(port: int) -> None:
    assert_refused(
        await answer(port, b"CONNECT example.com:443 HTTP/1.1\r\nhost: test\r\n\r\n"), 400
    )


@pytest.mark.parametrize("sent", [b"", b"\r\n"], ids=["nothing", "blank lines"])
async def test_a_connection_without_a_request_ends(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ended = asyncio.create_task(reader.read())
    for _ in range(20):
        writer.write(sent)
        await asyncio.wait({ended}, timeout=0.2)
    writer.close()
    assert ended.done()
