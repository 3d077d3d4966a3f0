"""When the head of an answer leaves: with its body if there is one at once, else by itself."""

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from unittest.mock import create_autospec

import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse

from app.config import Settings
from app.server.flow import JoinedWrites
from tests.support.wire import exchange, listening


@pytest.fixture
def settings(shared_settings: Settings) -> Settings:
    """Equal to those of the other tests, but of an application whose routes are this test's own."""
    return shared_settings.model_copy()


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    async with listening(app) as port:
        yield port


async def read_once(client: socket.socket) -> bytes:
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(client, 65536)


async def ask(client: socket.socket, port: int, path: bytes) -> None:
    loop = asyncio.get_running_loop()
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, b"GET %b HTTP/1.1\r\nhost: test\r\n\r\n" % path)


def packets_with_data(client: socket.socket) -> int:
    """How many the kernel has received: tcpi_data_segs_in of Linux' struct tcp_info."""
    known = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    return int(struct.unpack_from("I", known, 152)[0])


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux how many packets there were")
async def test_a_short_answer_is_one_packet(port: int) -> None:
    with closing(socket.socket()) as client:
        await ask(client, port, b"/health/live")
        head, _, body = (await read_once(client)).partition(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % len(body) in head
        assert body
        assert packets_with_data(client) == 1


async def test_the_head_of_a_stream_does_not_wait_for_its_body(port: int, app: FastAPI) -> None:
    goes_on = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        await goes_on.wait()
        yield b"late"

    app.add_api_route("/stream", lambda: StreamingResponse(pieces()))
    with closing(socket.socket()) as client:
        await ask(client, port, b"/stream")
        assert (await read_once(client)).endswith(b"\r\n\r\n")
        goes_on.set()
        assert b"late" in await read_once(client)


async def test_an_answer_without_a_body_arrives_before_the_connection_ends(port: int) -> None:
    head = b"HEAD /health/live HTTP/1.1\r\nhost: test\r\nconnection: %b\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head % b"keep-alive" + head % b"close")
    async with asyncio.timeout(5):
        answers = await reader.read()
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 2
    writer.close()


async def test_a_head_whose_client_is_gone_meanwhile_is_written_to_nobody() -> None:
    """A closed transport of uvloop would raise, and the log had a traceback."""
    transport = create_autospec(asyncio.Transport, instance=True)
    transport.is_closing.return_value = False
    joined = JoinedWrites(transport, asyncio.get_running_loop(), lambda: 0.0)
    joined.write(b"HTTP/1.1 200 OK\r\n\r\n")
    transport.is_closing.return_value = True
    await asyncio.sleep(0)
    transport.write.assert_not_called()


async def test_pipelined_answers_keep_their_order(port: int) -> None:
    live = b"GET /health/live HTTP/1.1\r\nhost: test\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
    answers = await exchange(port, live * 5 + last)
    assert [answer.status for answer in answers] == [200] * 5 + [404]
