"""Agents of other people's making, and many at once, over workers that share nothing."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.agents import ERAS, FOR_USER, data_of
from tests.support.service import ROOT, running

CALLS, CLIENTS = 1000, 16
INSPECTOR = "mcp-inspector"
PATH = os.pathsep.join((str(ROOT / "tests/clients/node_modules/.bin"), os.environ["PATH"]))


@pytest.fixture
def service(database_url: str) -> Iterator[tuple[str, Any]]:
    settings = {
        "DATABASE_URL": database_url,
        "MCP_ENABLED": "true",
        "WEB_CONCURRENCY": "2",
        "LOG_LEVEL": "ERROR",
        "SHUTDOWN_DELAY": "0",
    }
    with running("serve", **settings) as (url, process):
        yield f"{url}/mcp", process


async def clients(stack: AsyncExitStack, url: str) -> AsyncIterator[Client]:
    """The SDK's own, of both eras in turn."""
    for number in range(CLIENTS):
        http = await stack.enter_async_context(httpx2.AsyncClient(headers=FOR_USER))
        transport = streamable_http_client(url, http_client=http)
        yield await stack.enter_async_context(Client(transport, mode=ERAS[number % 2]))


async def test_sixteen_clients_of_two_workers_need_no_session(
    service: tuple[str, Any],
) -> None:
    url, process = service
    assert len(psutil.Process(process.pid).children()) == 2

    async def work(client: Client, number: int) -> list[str]:
        made = []
        for turn in range(number, CALLS, CLIENTS):
            result = await client.call_tool("create-task", {"title": str(turn)})
            made.append(str(data_of(result)["title"]))
        return made

    async with AsyncExitStack() as stack:
        agents = [client async for client in clients(stack, url)]
        made = await asyncio.gather(*(work(one, n) for n, one in enumerate(agents)))
        stats = data_of(await agents[0].call_tool("get-stats", {}))
    assert sorted(int(title) for titles in made for title in titles) == list(range(CALLS))
    assert stats["total_tasks"] == CALLS


@pytest.mark.skipif(
    shutil.which(INSPECTOR, path=PATH) is None and not os.environ.get("REQUIRE_GENERATORS"),
    reason="MCP-INSPECTOR NOT FOUND: run `make clients` to see that the inspector connects",
)
def test_the_inspector_lists_and_calls(service: tuple[str, Any], tmp_path: Path) -> None:
    url, _ = service
    headers = [
        part for name, value in FOR_USER.items() for part in ("--header", f"{name}: {value}")
    ]

    def inspect(method: str, *arguments: str) -> dict[str, Any]:
        command = [
            INSPECTOR,
            "--cli",
            url,
            "--transport",
            "http",
            *headers,
            "--method",
            method,
            *arguments,
        ]
        ended = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PATH": PATH},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        result: dict[str, Any] = json.loads(ended.stdout)
        return result

    assert "create-task" in [tool["name"] for tool in inspect("tools/list")["tools"]]
    naming = ("--tool-name", "create-task", "--tool-arg", "title=Feed cat")
    assert inspect("tools/call", *naming)["structuredContent"]["title"] == "Feed cat"
