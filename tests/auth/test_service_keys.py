import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from uuid import uuid4

import asyncpg
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from app.auth.service_keys import ServiceKeys
from app.config import Settings
from app.database import Database
from app.database.deadline import DEADLINE
from app.errors import Unauthorized, Unavailable
from app.main import create_app
from app.models.key import NewKey
from app.services import Connection, keys
from app.services.keys import DEVELOPMENT_KEY
from tests.conftest import OPEN_DOORS, SERVICE_HEADERS
from tests.support.databases import clone_statement, named

REFUSED = {"detail": "Invalid or expired service key"}
PUBLIC = {"/", "/health", "/health/ready", "/health/live"}
LOGIN = "/api/v1/auth/"
UNUSABLE_KEYS = [
    pytest.param(b"", id="empty"),
    pytest.param(b"sk_dev_" + b"a" * 249, id="256 characters"),
    pytest.param("sk_dev_schlüssel".encode(), id="non-ascii"),
]


class CountingDatabase(Database):
    """Counts how often a connection was asked for."""

    loans = 0

    @asynccontextmanager
    async def connection(self, seconds: float = DEADLINE) -> AsyncIterator[Connection]:
        self.loans += 1
        async with super().connection(seconds) as connection:
            yield connection


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[ServiceKeys, CountingDatabase]]:
    database = CountingDatabase(settings)
    await database.open()
    yield ServiceKeys(database, settings), database
    await database.close()


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(
        database_url=database_url, log_level="ERROR", database_pool_size=1, **OPEN_DOORS
    )


@pytest.fixture
def production(database_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        environment="production",
        admin_api_key="5f0c4c1d9be84a7f",
        api_key_secret="d41d8cd98f00b204e9800998ecf8427e",
        log_level="ERROR",
    )


@pytest.fixture
async def other_connection(database_url: str) -> AsyncIterator[Connection]:
    """What another process does to the same database."""
    connection: Connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def mint(db: Connection, name: str = "cat-house") -> str:
    value = keys.generate("dev", None)
    await keys.insert_key(db, NewKey(key_name=name, environment="dev"), value)
    return value


async def seconds_until_refused(service_keys: ServiceKeys, key: str) -> float:
    started = monotonic()
    while monotonic() - started < 5:
        try:
            await service_keys.find(key)
        except Unauthorized:
            break
        await asyncio.sleep(0.01)
    return monotonic() - started


async def test_requests_that_arrive_together_share_one_look_up(
    settings: Settings, other_connection: Connection
) -> None:
    key = await mint(other_connection)
    async with opened(settings) as (service_keys, database):
        callers = await asyncio.gather(*(service_keys.find(key) for _ in range(100)))
        assert {caller.name for caller in callers} == {"cat-house"}
        await service_keys.find(key)
        assert database.loans == 1


@pytest.mark.parametrize(
    "change",
    ["active = false", "expires_at = now()", "api_key = 'another'"],
    ids=["revoked", "expired", "replaced"],
)
async def test_key_that_was_just_used_is_refused_within_a_second(
    settings: Settings, other_connection: Connection, change: str
) -> None:
    key = await mint(other_connection)
    async with opened(settings) as (service_keys, _):
        await service_keys.find(key)
        await other_connection.execute(f"UPDATE service_api_keys SET {change}")
        assert await seconds_until_refused(service_keys, key) < 1


async def test_unknown_key_works_at_once_when_it_is_created(
    settings: Settings, other_connection: Connection
) -> None:
    key = keys.generate("dev", None)
    async with opened(settings) as (service_keys, _):
        with pytest.raises(Unauthorized):
            await service_keys.find(key)
        new = NewKey(key_name="cat-house", environment="dev")
        await keys.insert_key(other_connection, new, key)
        assert (await service_keys.find(key)).name == "cat-house"


async def test_no_more_than_1024_keys_are_remembered(
    settings: Settings, other_connection: Connection
) -> None:
    values = [f"sk_dev_{number:064x}" for number in range(1100)]
    await other_connection.executemany(
        "INSERT INTO service_api_keys (key_name, api_key) VALUES ($1, $1)",
        [(value,) for value in values],
    )
    async with opened(settings) as (service_keys, _):
        callers = await asyncio.gather(*map(service_keys.find, values))
        assert [caller.name for caller in callers] == values
        assert 0 < len(service_keys._callers) <= 1024


async def test_failed_look_up_is_not_remembered(server_url: str, template: str) -> None:
    name = f"late_{uuid4().hex}"
    admin = await asyncpg.connect(server_url)
    async with opened(Settings(database_url=named(server_url, name))) as (service_keys, _):
        failures = await asyncio.gather(
            *(service_keys.find(DEVELOPMENT_KEY) for _ in range(3)), return_exceptions=True
        )
        assert [type(failure) for failure in failures] == [Unavailable] * 3
        await admin.execute(clone_statement(name, template))
        assert (await service_keys.find(DEVELOPMENT_KEY)).name == "cat-house-dev"
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def test_first_caller_who_hangs_up_does_not_fail_the_others(
    settings: Settings, other_connection: Connection
) -> None:
    key = await mint(other_connection)
    async with opened(settings) as (service_keys, database):
        async with database.connection():  # the only one: the look-up has to wait
            first = asyncio.create_task(service_keys.find(key))
            others = [asyncio.create_task(service_keys.find(key)) for _ in range(3)]
            await asyncio.sleep(0.05)
            first.cancel()
            await asyncio.sleep(0.05)
        assert [(await other).name for other in others] == ["cat-house"] * 3
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await service_keys.find(key)).name == "cat-house"


async def test_development_key_is_created_on_its_first_use(
    settings: Settings, other_connection: Connection
) -> None:
    count = "SELECT count(*) FROM service_api_keys"
    assert await other_connection.fetchval(count) == 0
    async with opened(settings) as (service_keys, _):
        assert (await service_keys.find(DEVELOPMENT_KEY)).name == "cat-house-dev"
    assert await other_connection.fetchval(count) == 1


async def test_revoked_development_key_is_not_created_anew(
    settings: Settings, other_connection: Connection
) -> None:
    await keys.ensure_development_key(other_connection)
    await other_connection.execute("UPDATE service_api_keys SET active = false")
    async with opened(settings) as (service_keys, _):
        with pytest.raises(Unauthorized):
            await service_keys.find(DEVELOPMENT_KEY)


async def test_development_key_is_refused_outside_development_even_if_it_exists(
    production: Settings, other_connection: Connection
) -> None:
    await keys.ensure_development_key(other_connection)
    key = await mint(other_connection)
    async with opened(production) as (service_keys, _):
        with pytest.raises(Unauthorized):
            await service_keys.find(DEVELOPMENT_KEY)
        assert (await service_keys.find(key)).name == "cat-house"


async def test_development_key_is_not_created_outside_development(
    production: Settings, other_connection: Connection
) -> None:
    app = create_app(production)
    transport = ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://test", headers=SERVICE_HEADERS) as client,
    ):
        answer = await client.get("/actions")
    assert (answer.status_code, answer.json()) == (401, REFUSED)
    assert await other_connection.fetchval("SELECT count(*) FROM service_api_keys") == 0


@pytest.mark.parametrize("key", UNUSABLE_KEYS)
async def test_unusable_key_is_401_without_asking_the_database(
    settings: Settings, key: bytes
) -> None:
    app = create_app(settings)
    async with opened(settings) as (service_keys, database):
        app.state.resources.add(service_keys)
        app.state.resources.add(database)
        async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
            for headers in ([], [(b"X-Service-Key", key)]):
                answer = await client.post("/execute", content=b"{broken", headers=headers)
                assert (answer.status_code, answer.json()) == (401, REFUSED)
        assert database.loans == 0


async def test_every_documented_operation_asks_for_a_credential_first(
    client: AsyncClient, app: FastAPI
) -> None:
    operations = [
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if path not in PUBLIC and not path.startswith(LOGIN)
    ]
    assert len(operations) >= 8
    for method, path in operations:
        answer = await client.request(method, re.sub("{.*?}", "x", path), content=b"{broken")
        assert answer.status_code == 401, (method, path)
        assert set(answer.json()) in ({"detail"}, {"detail", "code"}, {"success", "message"})
        assert answer.headers["www-authenticate"]


async def test_public_operations_need_no_credential(client: AsyncClient) -> None:
    for path in PUBLIC:
        assert (await client.get(path)).status_code == 200
