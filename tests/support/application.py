"""Applications to talk to within the test's own process."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from app.auth.service_keys import ServiceKeys
from app.config import Settings
from app.database.revocations import Revocations
from app.main import create_app, resources
from app.services import Connection
from tests.support.databases import SharedConnection


@contextmanager
def released(app: FastAPI) -> Iterator[FastAPI]:
    """The application, emptied afterwards.

    FastAPI's caches hold on to the endpoints of the documentation, and these to their application:
    two thousand of them are 2 GB, through which every full garbage collection takes seconds.
    """
    yield app
    vars(app).clear()


def furnished(app: FastAPI, settings: Settings, db: Connection) -> FastAPI:
    """The application with new resources: this connection, nothing remembered, nothing counted."""
    database = SharedConnection(db)
    app.state.resources = resources(settings)
    app.state.resources.add(database)
    revocations = app.state.resources[Revocations]
    app.state.resources.add(ServiceKeys(database, settings, revocations))
    return app


@asynccontextmanager
async def talking_to(database_url: str, **settings: Any) -> AsyncIterator[AsyncClient]:
    """Talks to an application with a pool of its own and these settings, without credentials."""
    wanted = Settings(database_url=database_url, **{"log_level": "ERROR", **settings})
    with released(create_app(wanted)) as app:
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://test") as client,
        ):
            yield client
