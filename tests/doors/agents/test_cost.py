"""What agents' door costs: nothing where it is closed, little where it is open."""

import json
import subprocess
import sys
from time import process_time
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from tests.conftest import SERVICE_HEADERS, Figure, TaskFactory
from tests.support.agents import FOR_USER, request
from tests.support.application import talking_to
from tests.support.service import environment

_START = """
import json, sys, time
import psutil
from app.main import create_app
create_app()
sdk = sorted({name.partition(".")[0] for name in sys.modules} & {"mcp", "mcp_types", "httpx2"})
print(json.dumps([sdk, psutil.Process().memory_info().rss / 2**20, time.process_time()]))
"""


def started(enabled: str) -> tuple[list[str], float, float]:
    """What of the SDK an application has loaded, its MiB, and the seconds that took."""
    settings = {"MCP_ENABLED": enabled, "DATABASE_URL": "postgresql://x@localhost:1/x"}
    ended = subprocess.run(
        [sys.executable, "-c", _START],
        env=environment(**settings, LOG_LEVEL="CRITICAL"),
        capture_output=True,
        text=True,
        check=True,
    )
    sdk, mebibytes, seconds = json.loads(ended.stdout.splitlines()[-1])
    return sdk, mebibytes, seconds


def test_where_it_is_closed_the_sdk_is_not_loaded(figure: Figure) -> None:
    closed, opened = started("false"), started("true")
    figure(f"closed {closed[1]:.0f} MiB, {closed[2]:.1f} s; open {opened[1]:.0f}, {opened[2]:.1f}")
    assert closed[0] == []
    assert "mcp" in opened[0]


async def test_where_it_is_closed_the_path_leads_nowhere() -> None:
    async with talking_to("postgresql://x@localhost:1/x", mcp_enabled=False) as client:
        answer = await client.post("/mcp", json=request("ping"), headers=FOR_USER)
        index = await client.get("/")
    assert answer.status_code == 404
    assert "agents" not in index.json()["doors"]


@pytest.mark.alone
@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    ("action", "payload"), [("get-task", {}), ("create-task", {"title": "x"}), ("list-tasks", {})]
)
async def test_a_call_costs_at_most_three_times_the_command(
    app: FastAPI, make_task: TaskFactory, figure: Figure, action: str, payload: dict[str, Any]
) -> None:
    tasks = [await make_task(title=str(number)) for number in range(20)]
    if action == "get-task":
        payload = {"task_id": str(tasks[0].id)}
    command = {"action": action, "user_id": "user_123", "payload": payload}
    execute = await _processor_time(app, "/execute", command, SERVICE_HEADERS)
    call = request("tools/call", name=action, arguments=payload)
    mcp = await _processor_time(app, "/mcp", call, FOR_USER)
    figure(f"{action}: {execute * 1000:.2f} ms, as a tool {mcp * 1000:.2f} ms")
    assert mcp <= 3 * execute


async def _processor_time(
    app: FastAPI, path: str, body: dict[str, Any], headers: dict[str, str]
) -> float:
    """Seconds of one request, the least of several rounds."""
    content = json.dumps(body).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [
            (b"content-type", b"application/json"),
            *((name.lower().encode(), value.encode()) for name, value in headers.items()),
        ],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(_: object) -> None:
        pass

    rounds = []
    for _ in range(6):
        begun = process_time()
        for _ in range(25):
            await app({**scope}, receive, send)
        rounds.append((process_time() - begun) / 25)
    return min(rounds)


async def test_it_is_open_in_development_and_elsewhere_when_asked_for(client: AsyncClient) -> None:
    index = await client.get("/")
    assert "agents" in index.json()["doors"]
