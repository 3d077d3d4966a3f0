"""What the log says of an outage: that it began, how many requests it cost, that it is over."""

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest

from app.config import Settings
from app.database import Database, outage
from app.database.outage import Outage
from app.http import refusals
from app.http.refusals import Refusals
from tests.support import cluster
from tests.support.log_lines import lines_of
from tests.support.postgres import Server
from tests.support.service import running

KEY = "sk_prod_" + "4e" * 32
SETTINGS = {
    "ENVIRONMENT": "staging",
    "ADMIN_API_KEY": "5f0c4c1d9be84a7fa3e1",
    "API_KEY_SECRET": "d41d8cd98f00b204e98009",
    "SHUTDOWN_DELAY": "0",
}
MANY = 200
Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that asks `cat` for a password, which is `salmon`."""
    with cluster.place() as folder:
        server = Server.migrated(folder / "postgres")
        rules = folder / "postgres" / "pg_hba.conf"
        rules.write_text(f"local all cat scram-sha-256\n{rules.read_text()}")
        server.execute(
            "CREATE ROLE cat SUPERUSER LOGIN PASSWORD 'salmon'",
            f"INSERT INTO service_api_keys (key_name, api_key) VALUES ('cat-house', '{KEY}')",
            "SELECT pg_reload_conf()",
        )
        yield server
        server.stop()


def url_with(server: Server, password: str) -> str:
    parts = urlsplit(server.url)
    return urlunsplit(parts._replace(netloc=f"cat:{password}@"))


async def _statuses(url: str, count: int) -> list[int]:
    limits = httpx.Limits(max_connections=20)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
        headers = {"X-Service-Key": KEY}
        asked = (client.get("/stats?user_id=ann", headers=headers) for _ in range(count))
        return [answer.status_code for answer in await asyncio.gather(*asked)]


def statuses(url: str, count: int) -> set[int]:
    """What so many requests are answered."""
    return set(asyncio.run(_statuses(url, count)))


@contextmanager
def logged(path: Path, database_url: str, **settings: str) -> Iterator[tuple[str, Lines]]:
    """A service, and once it has ended what it logged."""
    lines: Lines = []
    values = {**SETTINGS, "DATABASE_URL": database_url, **settings}
    with running("serve", output=str(path), **values) as (url, _):
        yield url, lines
    lines += map(json.loads, path.read_text().splitlines())


def of_level(lines: Lines, *levels: str) -> list[str]:
    return [line["event"] for line in lines if line["level"] in levels]


def test_a_wrong_password_is_an_error_when_it_begins_and_one_when_it_ends(
    server: Server, tmp_path: Path
) -> None:
    with logged(tmp_path / "log", url_with(server, "tuna")) as (url, lines):
        assert statuses(url, MANY) == {503}
        server.execute("ALTER ROLE cat PASSWORD 'tuna'")
        assert statuses(url, 3) == {200}
    server.execute("ALTER ROLE cat PASSWORD 'salmon'")
    assert of_level(lines, "error") == ["database_away", "database_back"]
    [away] = [line for line in lines if line["event"] == "database_away"]
    assert away["reason"] == "InvalidPasswordError"
    assert "tuna" not in json.dumps(lines)
    assert_summed_up(lines, MANY, "InvalidPasswordError")


def assert_summed_up(lines: Lines, refused: int, reason: str) -> None:
    """Of the requests that were refused the first has a line, and the others are counted."""
    requests = [line for line in lines if line["event"] == "request" and "/stats" in line["path"]]
    [first] = [line for line in requests if line["status"] == 503]
    assert (first["level"], first["reason"]) == ("warning", reason)
    assert first["request_id"]
    assert [line["level"] for line in requests if line["status"] == 200] == ["info"] * 3
    waves = [line for line in lines if line["event"] == "requests_refused"]
    assert {line["level"] for line in waves} == {"warning"}
    assert sum(line["requests"] for line in waves) == refused - 1
    assert {reason for line in waves for reason in line["reasons"]} == {reason}


def test_a_database_that_is_killed_and_comes_back_is_two_errors(
    server: Server, tmp_path: Path
) -> None:
    with logged(tmp_path / "log", url_with(server, "salmon")) as (url, lines):
        assert statuses(url, 3) == {200}
        server.signal(signal.SIGKILL)
        assert statuses(url, MANY) == {503}
        server.start()
        while statuses(url, 1) != {200}:
            pass
    assert of_level(lines, "error") == ["database_away", "database_back"]
    assert of_level(lines, "info").count("request") < 10
    refused = [line for line in lines if line.get("status") == 503]
    counted = sum(line["requests"] for line in lines if line["event"] == "requests_refused")
    assert len(refused) == 1
    assert counted >= MANY - 1


def test_at_level_debug_every_request_has_its_line(server: Server, tmp_path: Path) -> None:
    with logged(tmp_path / "log", url_with(server, "tuna"), LOG_LEVEL="DEBUG") as (url, lines):
        assert statuses(url, 20) == {503}
    refused = [line for line in lines if line["event"] == "request" and line["status"] == 503]
    assert len({line["request_id"] for line in refused}) == 20
    assert [line["level"] for line in refused] == ["warning"] + ["debug"] * 19


async def test_a_server_that_does_not_answer_is_said_once_even_if_only_probes_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = lines_of(outage, monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = Database(Settings(database_url=f"postgresql://u:p@127.0.0.1:{port}/d"))
        await database.open()
        for _ in range(2):
            assert not await database.is_ready()
            await asyncio.sleep(1)
        await database.close()
    assert [(line["event"], line["reason"]) for line in lines] == [
        ("database_away", "TimeoutError")
    ]


def test_a_server_that_comes_and_goes_is_not_said_at_each_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = lines_of(outage, monkeypatch)
    now = 0.0
    monkeypatch.setattr(outage, "monotonic", lambda: now)
    watched = Outage()
    for turn in range(100):
        now = turn / 10
        watched.note_away(OSError())
        watched.note_back()
    assert [line["event"] for line in lines] == ["database_away", "database_back"] * 2


async def test_a_wave_is_told_at_intervals_and_the_next_one_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, "_INTERVAL", 0.1)
    lines = lines_of(refusals, monkeypatch)
    noted = Refusals()
    for _ in range(2):
        for reason in ("OSError", "OSError", "TimeoutError"):
            noted.note({"reason": reason}, "get-task")
        noted.note({}, "/health/ready")
        await asyncio.sleep(0.35)
    told = [line for line in lines if line["log_level"] == "warning"]
    assert [line["event"] for line in told] == ["request", "requests_refused"] * 2
    assert told[1]["requests"] == 3
    assert told[1]["reasons"] == {"OSError": 1, "TimeoutError": 1, "/health/ready": 1}
