"""What bytes without a credential cost a served worker in memory, whoever sends them how."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from tests.conftest import Figure
from tests.support.service import BY_ITSELF, running

SECONDS_OF_WORK = 1.0
MEGABYTE = 1_000_000
# 256,000 bytes, which uvloop reads at once, are a whole number of these.
SMALL = b"GET /1234567 HTTP/1.1\r\nHost:\r\n\r\n" * 8000
MANY_FIELDS = b"GET / HTTP/1.1\r\nHost:\r\n" + b"ab:\r\n" * 12_500
POST = b"POST /execute HTTP/1.1\r\nHost:\r\n"
BODIES = (POST + b"content-length: 60000\r\n\r\n" + b"x" * 60_000) * 4
CHUNKS = POST + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 40_000 + b"0\r\n\r\n"


@pytest.fixture
def served(database_url: str) -> Iterator[tuple[int, psutil.Process]]:
    """The port of a service, and its only worker."""
    settings = {"WEB_CONCURRENCY": "1", "LOG_LEVEL": "CRITICAL", "SHUTDOWN_DELAY": "0"}
    with running("serve", command=BY_ITSELF, DATABASE_URL=database_url, **settings) as (
        url,
        process,
    ):
        (worker,) = psutil.Process(process.pid).children()
        yield int(url.rpartition(":")[2]), worker


async def press(port: int, sent: bytes, *, reads: bool) -> None:
    """Sends the bytes again and again, over one connection for as long as the server lets it."""
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", port))
            directions = [asyncio.create_task(_send(client, sent))]
            if reads:
                directions.append(asyncio.create_task(_read(client)))
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in directions:
                    task.cancel()
                await asyncio.gather(*directions, return_exceptions=True)


async def _send(client: socket.socket, sent: bytes) -> None:
    with suppress(ConnectionError):
        while True:
            await asyncio.get_running_loop().sock_sendall(client, sent)


async def _read(client: socket.socket) -> None:
    with suppress(ConnectionError):
        while await asyncio.get_running_loop().sock_recv(client, 65_536):
            pass


async def growth(
    worker: psutil.Process, port: int, sent: bytes, clients: int, *, reads: bool
) -> float:
    """Megabytes at most that a worker grows by until it has worked on these clients for a while."""
    before, cpu, peak = worker.memory_info().rss, sum(worker.cpu_times()[:2]), 0
    pressing = [asyncio.create_task(press(port, sent, reads=reads)) for _ in range(clients)]
    deadline = asyncio.get_running_loop().time() + 30
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)
        peak = max(peak, worker.memory_info().rss)
        if sum(worker.cpu_times()[:2]) - cpu > SECONDS_OF_WORK:
            break
    for task in pressing:
        task.cancel()
    await asyncio.gather(*pressing, return_exceptions=True)
    return (peak - before) / MEGABYTE


@pytest.mark.parametrize(
    ("sent", "reads"),
    [(SMALL, True), (SMALL, False), (MANY_FIELDS, False), (BODIES, False), (CHUNKS, False)],
    ids=["requests", "requests unread", "fields", "bodies", "chunks"],
)
async def test_no_bytes_take_a_workers_memory(
    served: tuple[int, psutil.Process], figure: Figure, sent: bytes, *, reads: bool
) -> None:
    port, worker = served
    by_one = await growth(worker, port, sent, 1, reads=reads)
    by_200 = await growth(worker, port, sent, 200, reads=reads)
    figure(f"one connection + {by_one:.1f} MB, 200 connections + {by_200:.1f} MB")
    assert by_one < 10
    assert by_200 < 50
