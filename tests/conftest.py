"""A real PostgreSQL for every test.

`db` and `client` share one connection whose transaction is rolled back after the test (0.4 ms).
`database_url` is a clone of the migrated database (45 ms), for what needs several connections;
`live_client` talks to an application on it.

An application is made once for tests with the same settings; what it holds is new in each.

With TEST_DIVIDED set, the tables are divided by user, and a statement of the service on the shared
connection fails that looks at the rows of more than one without being named in `crossings`.
"""

import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import hypothesis
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from app.config import DEVELOPMENT_ADMIN_KEY, Settings
from app.config.database_url import normalize_database_url
from app.database import embedded, migrations
from app.database.marking import CONSUMERS, mark
from app.doors import development_values
from app.models.call import Call, CallFields
from app.models.contact import Contact, ContactFields
from app.models.task import Task, TaskFields
from app.services import Connection, calls, contacts, tasks
from app.services.keys import DEVELOPMENT_KEY
from tests.support import cluster
from tests.support import redis_server as redis
from tests.support.application import furnished, lent, talking_to
from tests.support.databases import clone_statement, create_clone, named, run_statements, run_with
from tests.support.listener import LISTENERS
from tests.support.partitions import Watched, divide
from tests.support.redis_server import RedisServer

SERVICE_HEADERS = {"X-Service-Key": DEVELOPMENT_KEY}
ADMIN_HEADERS = {"X-Admin-Key": DEVELOPMENT_ADMIN_KEY}
OPEN_DOORS: dict[str, Any] = {name.lower(): value for name, value in development_values().items()}

Execute = Callable[..., Awaitable[Response]]

# Whatever collecting makes stays: to look for garbage among it took a third of the time.
gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that nobody waits for it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/system/", "tests/clients/")))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main() -> Iterator[None]:
    with cluster.offered():
        return (yield)


# A few examples of each property for whoever waits; at night, many (HYPOTHESIS_PROFILE=full).
hypothesis.settings.register_profile("few", max_examples=10, deadline=None)
hypothesis.settings.register_profile("full", max_examples=150, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))


def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see neither the developer's settings nor a `.env`."""
    _clean(monkeypatch)


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A database on the server under test: TEST_DATABASE_URL or an embedded PostgreSQL."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield normalize_database_url(given)
        return
    with cluster.place() as folder:
        cluster.copy_to(folder / "postgres")
        server = embedded.start(folder / "postgres")
        yield embedded.url(server, "postgres")
        server.stop()


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a migrated database that nobody connects to, to be cloned."""
    name = f"template_{uuid4().hex}"
    if os.environ.get("TEST_DATABASE_URL"):
        run_statements(server_url, f"CREATE DATABASE {name}")
        migrations.upgrade(named(server_url, name))
    else:
        run_statements(server_url, clone_statement(name, embedded.DATABASE))
    if os.environ.get("TEST_DIVIDED"):
        run_with(named(server_url, name), divide)
    yield name
    run_statements(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shared_url(server_url: str, template: str) -> Iterator[str]:
    with create_clone(server_url, template) as url:
        yield url


@pytest.fixture(scope="session")
async def _kept_connection(shared_url: str) -> AsyncIterator[Connection]:
    kind = Watched if os.environ.get("TEST_DIVIDED") else Connection
    connection: Connection = await asyncpg.connect(shared_url, connection_class=kind)
    yield connection
    await connection.close()


@pytest.fixture
async def db(_kept_connection: Connection) -> AsyncIterator[Connection]:
    """A connection in a transaction that is rolled back."""
    transaction = _kept_connection.transaction()
    await transaction.start()
    yield _kept_connection
    await transaction.rollback()


@pytest.fixture
async def database_url(server_url: str, template: str) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    name = f"clone_{uuid4().hex}"
    admin = await asyncpg.connect(server_url)
    await admin.execute(clone_statement(name, template))
    yield named(server_url, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture(params=["numbered", "marked"])
async def each_log(request: pytest.FixtureRequest, database_url: str) -> None:
    """The log of one machine, and then the one that is divided among several."""
    if request.param == "marked":
        db = await asyncpg.connect(database_url)
        async with db.transaction():
            await mark(db, (*CONSUMERS, *LISTENERS))
        await db.close()


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[list[Connection]]:
    """Eight connections to a database of the test's own."""
    connections: list[Connection] = [await asyncpg.connect(database_url) for _ in range(8)]
    yield connections
    for connection in connections:
        await connection.close()


@pytest.fixture(scope="session")
def shared_settings(shared_url: str) -> Settings:
    with pytest.MonkeyPatch.context() as monkeypatch:
        _clean(monkeypatch)
        return Settings(database_url=shared_url, log_level="ERROR", **OPEN_DOORS)


@pytest.fixture
def settings(shared_settings: Settings) -> Settings:
    """Settings of a development service on the shared database, with every door open."""
    return shared_settings


@pytest.fixture
def app(settings: Settings, db: Connection) -> Iterator[FastAPI]:
    """The application, on the connection that is rolled back."""
    with lent(settings) as app:
        yield furnished(app, settings, db)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """Talks to the application, without credentials."""
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client
    await app.state.resources.close()


@pytest.fixture
def execute(client: AsyncClient) -> Execute:
    """Performs an action for user_123 with the development key; keywords are the payload."""

    async def execute(action: str, user_id: str = "user_123", **payload: Any) -> Response:
        command = {"action": action, "user_id": user_id, "payload": payload}
        return await client.post("/execute", json=command, headers=SERVICE_HEADERS)

    return execute


@pytest.fixture
async def live_client(database_url: str) -> AsyncIterator[AsyncClient]:
    """Talks to an application with a pool of its own on a clone, without credentials."""
    async with talking_to(database_url, **OPEN_DOORS) as client:
        yield client


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    if redis.BINARY is None:
        pytest.skip("REDIS IS NOT INSTALLED: nothing shows that workers count rate limits together")
    server = RedisServer()
    yield server
    server.kill()


TaskFactory = Callable[..., Awaitable[Task]]


@pytest.fixture
def make_task(db: Connection) -> TaskFactory:
    """Stores a task, with these fields instead of a pending "Feed cat" of user_123."""

    async def make_task(user_id: str = "user_123", **fields: Any) -> Task:
        return await tasks.insert_task(db, user_id, TaskFields(**{"title": "Feed cat", **fields}))

    return make_task


ContactFactory = Callable[..., Awaitable[Contact]]
CallFactory = Callable[..., Awaitable[Call]]


@pytest.fixture
def make_contact(db: Connection) -> ContactFactory:
    """Stores a contact, with these fields instead of María's."""

    async def make_contact(**fields: Any) -> Contact:
        given = {"name": "María", "email": "maria@example.com", "company": "Azollon", **fields}
        return await contacts.insert_contact(db, ContactFields(**given))

    return make_contact


@pytest.fixture
def make_call(db: Connection) -> CallFactory:
    """Stores a call with the contact, with these fields instead of half an hour of onboarding."""

    async def make_call(contact: Contact, **fields: Any) -> Call:
        given = {"title": "Onboarding", "scheduled_for": "2030-01-01T10:00:00Z", **fields}
        return await calls.insert_call(db, contact.id, None, CallFields(**given))

    return make_call


Figure = Callable[[str], None]


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Notes what a test measured, to be shown at the end of the run."""
    return lambda text: request.node.user_properties.append(("figure", text))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = [
        f"{report.nodeid.rpartition('::')[2]}: {text}"
        for report in terminalreporter.getreports("passed")
        for name, text in report.user_properties
        if name == "figure"
    ]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)


MISSING_ID = UUID("550e8400-e29b-41d4-a716-446655440000")
