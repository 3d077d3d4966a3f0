"""PgBouncer in transaction mode between the application and the database changes nothing.

1.18 does not track prepared statements, so the application keeps none. What must also hold
without a pooler, and with the statement cache, is shown for both.
"""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient

from app import migrations
from app.config import Settings
from app.main import create_app
from tests.conftest import ADMIN_HEADERS, SERVICE_HEADERS, Figure, _execute, _named
from tests.service import free_port
from tests.test_faults import assert_recovers, send, send_many
from tests.test_migrations import _SCHEMA, REVISIONS, column

BINARY = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = [
    pytest.mark.pgbouncer,
    pytest.mark.skipif(
        BINARY is None,
        reason="PGBOUNCER IS NOT INSTALLED: nothing shows that the service works behind a pooler",
    ),
]

WRITERS = 20
_TABLES = ("tasks", "changes", "change_counts", "replays", "service_api_keys")
_CONFIG = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 1000
logfile = {folder}/log
"""


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


class Pooler:
    """A PgBouncer in front of the server under test, as the user who may reach that server."""

    def __init__(self, folder: Path, server_url: str) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        parts = urlsplit(server_url)
        server = {
            "host": parts.hostname or dict(parse_qsl(parts.query)).get("host", "127.0.0.1"),
            "port": str(parts.port or 5432),
            "user": unquote(parts.username or "postgres"),
            "password": unquote(parts.password or ""),
        }
        said = " ".join(f"{name}={_quoted(value)}" for name, value in server.items() if value)
        self._config = folder / "pgbouncer.ini"
        self._config.write_text(_CONFIG.format(server=said, port=self.port, folder=folder))
        self._user: str | None = None
        if os.geteuid() == 0:  # which PgBouncer refuses to be
            place = Path(server["host"])
            self._user = place.owner() if place.is_absolute() else "nobody"
            shutil.chown(folder, self._user)

    def url(self, database_url: str) -> str:
        """The database of this URL, by way of the pooler."""
        return f"postgresql://postgres@127.0.0.1:{self.port}{urlsplit(database_url).path}"

    def start(self) -> None:
        """Returns when it listens."""
        group = pwd.getpwnam(self._user).pw_gid if self._user else None
        self._process = subprocess.Popen(
            [str(BINARY), "--quiet", str(self._config)],
            user=self._user,
            group=group,
            extra_groups=[] if self._user else None,
        )
        for _ in range(500):
            assert self._process.poll() is None, f"pgbouncer ended: {self._log()}"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError(f"pgbouncer does not listen: {self._log()}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait(10)

    def _log(self) -> str:
        return self._config.with_name("log").read_text()


@pytest.fixture(scope="module")
def pooler(server_url: str) -> Iterator[Pooler]:
    folder = Path(tempfile.mkdtemp(prefix="task-manager-api-pgbouncer-"))
    pooler = Pooler(folder, server_url)
    pooler.start()
    yield pooler
    pooler.stop()
    shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def service(url: str, **settings: Any) -> AsyncIterator[AsyncClient]:
    app = create_app(Settings(database_url=url, log_level="ERROR", **settings))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://test", timeout=30) as client,
    ):
        yield client


@pytest.fixture
async def client(pooler: Pooler, database_url: str) -> AsyncIterator[AsyncClient]:
    """Talks to an application behind the pooler, on a database of the test's own."""
    async with service(pooler.url(database_url), database_statement_cache_size=0) as client:
        yield client


async def perform(client: AsyncClient, action: str, **payload: Any) -> Any:
    command = {"action": action, "user_id": "user_123", "payload": payload}
    answer = await send(client, command)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_all_six_actions_work(client: AsyncClient) -> None:
    task = await perform(client, "create-task", title="Feed cat")
    changed = await perform(client, "update-task", task_id=task["id"], status="completed")
    assert await perform(client, "get-task", task_id=task["id"]) == changed
    assert (await perform(client, "list-tasks"))["tasks"] == [changed]
    assert (await perform(client, "get-stats"))["completed_tasks"] == 1
    assert (await perform(client, "delete-task", task_id=task["id"]))["deleted_id"] == task["id"]
    assert (await perform(client, "list-tasks"))["count"] == 0


async def test_twenty_at_once_with_one_key_have_one_effect(
    client: AsyncClient, database_url: str
) -> None:
    command = {"action": "create-task", "user_id": "user_123", "payload": {"title": "Feed cat"}}
    answers = await asyncio.gather(
        *(send(client, command, "1732190000000-k3j9x") for _ in "x" * 20)
    )
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (200, answers[0].content)
    }
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 19
    counts = "SELECT count(*)::text FROM tasks UNION ALL SELECT count(*)::text FROM changes"
    assert await column(database_url, counts) == ["1", "1"]


async def test_fifty_creations_of_one_name_give_one_key(client: AsyncClient) -> None:
    body = {"key_name": "cat-house", "environment": "prod"}
    answers = await asyncio.gather(
        *(client.post("/admin/service-keys", json=body, headers=ADMIN_HEADERS) for _ in range(50))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: 49}


async def test_ten_rotations_of_one_name_all_succeed(client: AsyncClient) -> None:
    body = {"key_name": "cat-house", "environment": "prod"}
    created = await client.post("/admin/service-keys", json=body, headers=ADMIN_HEADERS)
    rotations = await asyncio.gather(
        *(
            client.post("/admin/rotate-key", json={"key_name": "cat-house"}, headers=ADMIN_HEADERS)
            for _ in range(10)
        )
    )
    assert {answer.status_code for answer in rotations} == {200}
    keys = {created.json()["service_key"], *(answer.json()["new_key"] for answer in rotations)}
    assert len(keys) == 11
    for key in keys:
        assert (await client.get("/actions", headers={"X-Service-Key": key})).status_code == 200


async def test_it_is_ready(client: AsyncClient) -> None:
    assert (await client.get("/health/ready")).status_code == 200


async def test_two_hundred_requests_share_five_connections(
    client: AsyncClient, database_url: str, figure: Figure
) -> None:
    started = time.monotonic()
    assert await send_many(client, 200) == {200: 200}
    figure(f"200 requests over 5 connections in {time.monotonic() - started:.2f} s")
    backends = """
        SELECT count(*)::text FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'task-manager-api'
    """
    assert 1 <= int((await column(database_url, backends))[0]) <= 5


def test_migrations_run_through_it_from_empty_to_head(
    server_url: str, shared_url: str, pooler: Pooler
) -> None:
    name = f"pooled_{uuid4().hex}"
    direct = _named(server_url, name)
    _execute(server_url, f"CREATE DATABASE {name} TEMPLATE template0")
    for _ in range(2):
        migrations.upgrade(pooler.url(direct))
        revision = asyncio.run(column(direct, "SELECT version_num FROM alembic_version"))
        assert revision == [REVISIONS[0]]
        schema = asyncio.run(column(direct, _SCHEMA))
        assert schema == asyncio.run(column(shared_url, _SCHEMA))
    _execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def write_until(done: asyncio.Event, client: AsyncClient, number: int) -> Counter[int]:
    """The statuses of what one writer was told meanwhile."""
    statuses = Counter[int]()

    async def told(action: str, key: str = "", **payload: Any) -> Any:
        command = {"action": action, "user_id": f"user-{number}", "payload": payload}
        answer = await send(client, command, key)
        statuses[answer.status_code] += 1
        return answer.json().get("data", {})

    while not done.is_set():
        task = await told("create-task", title="Feed cat")
        await told("create-task", key=uuid4().hex, title="Feed cat")
        await told("update-task", task_id=task.get("id"), status="completed")
        await told("get-task", task_id=task.get("id"))
        await told("list-tasks", priority="high")
    return statuses


async def add_columns(url: str) -> None:
    admin = await asyncpg.connect(url)
    for table in _TABLES:
        await asyncio.sleep(0.3)
        await admin.execute(f"ALTER TABLE {table} ADD COLUMN extra text")
    await asyncio.sleep(0.5)
    await admin.close()


@pytest.mark.parametrize("way", ["pooled", "direct"])
async def test_a_migration_that_adds_columns_fails_no_request(
    pooler: Pooler, database_url: str, figure: Figure, way: str
) -> None:
    cache_size = 0 if way == "pooled" else 100
    url = pooler.url(database_url) if way == "pooled" else database_url
    done = asyncio.Event()
    async with service(url, database_statement_cache_size=cache_size) as client:
        writers = [
            asyncio.create_task(write_until(done, client, number)) for number in range(WRITERS)
        ]
        await add_columns(database_url)
        done.set()
        statuses = sum(await asyncio.gather(*writers), Counter[int]())
        listed = await client.get("/admin/service-keys", headers=ADMIN_HEADERS)
        actions = await client.get("/actions", headers=SERVICE_HEADERS)
    assert statuses.keys() == {200}
    assert (listed.status_code, actions.status_code) == (200, 200)
    figure(f"{statuses.total()} requests while {len(_TABLES)} tables grew, 0 failed")


async def test_a_restarted_pooler_is_503_and_then_works_again(
    pooler: Pooler, client: AsyncClient, figure: Figure
) -> None:
    assert await send_many(client) == {200: 20}
    pooler.stop(signal.SIGKILL)
    try:
        assert await send_many(client) == {503: 20}
        await asyncio.sleep(1)
        assert (await client.get("/health/ready")).status_code == 503
    finally:
        pooler.start()
    await assert_recovers(client, figure)
