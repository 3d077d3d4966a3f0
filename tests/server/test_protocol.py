"""Requests whose head is no decent HTTP, over a bare socket."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from struct import pack
from typing import Any
from weakref import WeakSet

import pytest
from fastapi import FastAPI

from app.server import protocol
from app.server.protocol import MAX_FIELDS, MAX_HEAD_BYTES, BoundedProtocol
from tests.conftest import ADMIN_HEADERS, SERVICE_HEADERS, TaskFactory
from tests.support.people import SERVICE_TOKEN
from tests.support.wire import answer, listening


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    async with listening(app) as port:
        yield port


def assert_refused(answered: tuple[int, dict[str, str], object], status: int) -> None:
    assert answered[0] == status
    assert len(answered[1]["x-request-id"]) == 32
    assert answered[1]["x-content-type-options"] == "nosniff"
    assert isinstance(answered[2], dict)
    assert answered[2]["detail"]


async def test_a_head_over_64_kib_is_431(port: int) -> None:
    flood = [b"x-%d: %b\r\n" % (number, b"y" * 1000) for number in range(100)]
    assert_refused(await answer(port, b"GET / HTTP/1.1\r\nhost: test\r\n", *flood), 431)


async def test_a_head_may_have_64_kib_and_not_a_byte_more(port: int) -> None:
    start = b"GET /health/live HTTP/1.1\r\nhost: test\r\nconnection: close\r\nx: "
    fill = b"y" * (MAX_HEAD_BYTES - len(start) - 4)
    assert (await answer(port, start + fill + b"\r\n\r\n"))[0] == 200
    assert (await answer(port, start, fill, b"\r\n\r\n"))[0] == 200
    assert_refused(await answer(port, start + fill + b"y\r\n\r\n"), 431)
    assert_refused(await answer(port, start, fill, b"y\r\n\r\n"), 431)
    assert_refused(await answer(port, start + fill + b"y" * 5000 + b"\r\n\r\n"), 431)


async def test_a_head_with_too_many_fields_is_431(port: int) -> None:
    fields = b"x:\r\n" * (MAX_FIELDS - 2)
    head = b"GET /health/live HTTP/1.1\r\n" + CLOSING + fields
    assert (await answer(port, head + b"\r\n"))[0] == 200
    assert_refused(await answer(port, head + b"x:\r\n\r\n"), 431)


async def test_a_slow_head_is_408(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    assert_refused(await answer(port, b"GET / HTTP/1.1\r\nhost: te"), 408)


async def test_who_still_sends_is_told_at_once_where_the_answer_ends(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_LINGER_SECONDS", 60)
    begun = b"POST /execute HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n{"
    async with asyncio.timeout(10):
        assert_refused(await answer(port, begun), 401)


@pytest.mark.parametrize("request_line", [b"GET /\xff HTTP/1.1", b"nonsense"])
async def test_what_is_not_http_is_400_in_json(port: int, request_line: bytes) -> None:
    assert_refused(await answer(port, request_line + b"\r\nhost: test\r\n\r\n"), 400)


FRAMING = {
    "no host": b"POST / HTTP/1.1\r\n\r\n",
    "no host in HTTP/0.9": b"GET / HTTP/0.9\r\n\r\n",
    "two hosts": b"POST / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
    "two hosts in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    "folded field": b"POST / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "blank before a colon": b"POST / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n",
    "bare line feeds": b"POST / HTTP/1.1\nHost: a\n\n\r\n\r\n",
    "bare carriage return": b"POST / HTTP/1.1\r\nHost: a\rX: a\r\n\r\n",
    "NUL": b"POST / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
    "fragment": b"GET /metrics#a HTTP/1.1\r\nHost: a\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("sent", FRAMING.values(), ids=FRAMING)
async def test_what_a_proxy_could_understand_in_another_way_is_400(port: int, sent: bytes) -> None:
    assert_refused(await answer(port, sent), 400)


LENGTHS = [
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    *(b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: xchunked"),
    *(b"Transfer-Encoding: identity", b"Content-Length: +5", b"Content-Length: 5, 5"),
]


@pytest.mark.parametrize("lengths", LENGTHS, ids=bytes.decode)
async def test_a_length_that_is_said_twice_or_unclearly_is_400(port: int, lengths: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nhost: test\r\n%b\r\n\r\n" % lengths
    assert_refused(await answer(port, head + b"0\r\n\r\n"), 400)


CHUNKS = {
    "blank after a size": b"1 \r\na\r\n0\r\n\r\n",
    "sign before a size": b"+1\r\na\r\n0\r\n\r\n",
    "bare line feeds": b"1\na\n0\n\n",
    "no end of a chunk": b"1\r\naaa0\r\n\r\n",
    "size beyond measure": b"f" * 17 + b"\r\na\r\n0\r\n\r\n",
    "line feed in an extension": b'1;x="\n"\r\na\r\n0\r\n\r\n',
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
async def test_an_unclear_body_in_chunks_is_400(port: int, chunks: bytes) -> None:
    key = f"x-service-key: {SERVICE_HEADERS['X-Service-Key']}\r\n".encode()
    head = b"POST /execute HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n" + key
    assert_refused(await answer(port, head + b"\r\n", chunks), 400)


async def test_a_chunk_with_an_endless_extension_is_refused(port: int) -> None:
    key = f"x-service-key: {SERVICE_HEADERS['X-Service-Key']}\r\n".encode()
    head = b"POST /execute HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n" + key
    assert_refused(await answer(port, head + b"\r\n1;", b"x" * 70_000), 431)


async def test_blanks_around_a_value_are_no_part_of_it(port: int) -> None:
    key = f"x-service-key: \t {SERVICE_HEADERS['X-Service-Key']} \t \r\n".encode()
    head = b"GET /actions HTTP/1.1\r\n" + CLOSING + key
    assert (await answer(port, head + b"\r\n"))[0] == 200


async def test_a_user_named_with_blanks_is_the_user(port: int, make_task: TaskFactory) -> None:
    await make_task(user_id="u")
    service = f"x-service-auth: {SERVICE_TOKEN} \r\nx-user-id: \t u \r\n\r\n".encode()
    listed = await answer(port, b"GET /api/tasks HTTP/1.1\r\n" + CLOSING + service)
    assert isinstance(listed[2], list)
    assert len(listed[2]) == 1


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


async def test_a_connection_ends_when_it_was_idle_and_not_before(port: int, app: FastAPI) -> None:
    async def answer_late() -> None:
        await asyncio.sleep(1.5)

    app.add_api_route("/late", answer_late)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(20):
        for path in (b"/health/live", b"/late", b"/health/live"):
            await asyncio.sleep(0.6)
            writer.write(b"GET %b HTTP/1.1\r\nhost: test\r\n\r\n" % path)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            assert head.startswith("http/1.1 200")
            await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nhost", b"GET /late HTTP/1.1\r\nhost: test\r\n\r\n"]
)
async def test_a_reset_connection_is_forgotten(
    port: int, app: FastAPI, connections: WeakSet[BoundedProtocol], sent: bytes
) -> None:
    async def answer_late() -> None:
        await asyncio.sleep(0.3)

    app.add_api_route("/late", answer_late)
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))  # resets on closing
    client.sendall(sent)
    async with asyncio.timeout(30):
        while not connections:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)
        client.close()
        while connections:
            await asyncio.sleep(0.1)
            gc.collect()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> WeakSet[BoundedProtocol]:
    """Those that were made meanwhile and that the process still holds."""
    held: WeakSet[BoundedProtocol] = WeakSet()
    made = BoundedProtocol.connection_made

    def noted(protocol: BoundedProtocol, transport: Any) -> None:
        held.add(protocol)
        made(protocol, transport)

    monkeypatch.setattr(BoundedProtocol, "connection_made", noted)
    return held
