"""HEAD asks what GET would answer, and has no effect."""

import asyncpg
import pytest
from fastapi import FastAPI, Request
from httpx import ASGITransport, AsyncClient

from app.config import Settings
from app.database.requests import get_db
from app.errors import NotFound
from app.main import create_app

_INSERT = "INSERT INTO tasks (user_id, title) VALUES ('user_123', 'written by a GET')"


async def _write(request: Request) -> str:
    async with get_db(request) as db:
        return str(await db.execute(_INSERT))


async def _write_together(request: Request) -> str:
    async with get_db(request, transaction=True) as db:
        return str(await db.execute(_INSERT))


async def _fail(request: Request) -> None:
    async with get_db(request) as db:
        await db.execute(_INSERT)
        raise NotFound


@pytest.fixture
def app(database_url: str) -> FastAPI:
    app = create_app(Settings(database_url=database_url, database_pool_size=1, log_level="ERROR"))
    for path, endpoint in {"/one": _write, "/two": _write_together, "/fail": _fail}.items():
        app.add_api_route(path, endpoint)
    return app


async def test_what_a_head_writes_is_taken_back(app: FastAPI, database_url: str) -> None:
    db = await asyncpg.connect(database_url)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://test") as client,
    ):
        for path, status, written in (("/one", 200, 1), ("/two", 200, 1), ("/fail", 404, 0)):
            assert (await client.head(path)).status_code == status
            assert await db.fetchval("SELECT count(*) FROM tasks") == 0
            await client.get(path)
            # One connection serves them all: no transaction of a HEAD is left open in it.
            assert await db.fetchval("SELECT count(*) FROM tasks") >= written
            await db.execute("DELETE FROM tasks")
    await db.close()
