"""Applications to talk to within the test's own process."""

import pickle
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from app.auth.service_keys import ServiceKeys
from app.config import Settings
from app.database.revocations import Revocations
from app.logs import configure_logs
from app.main import create_app, resources
from app.services import Connection
from tests.support.databases import SharedConnection

# What resources are made of, and no application.
_PLACES = {
    *("database_url", "database_replica_url", "database_pool_size", "log_level"),
    *("gemini_base_url", "smtp_port"),
}
_MOST_SPARE = 12
_spare: dict[bytes, list[FastAPI]] = defaultdict(list)


@contextmanager
def lent(settings: Settings) -> Iterator[FastAPI]:
    """An application for these settings, with new resources.

    It is one that another test gave back, if there is one: to make it takes longer than most tests.
    """
    spare = _spare[pickle.dumps(settings.model_dump(exclude=_PLACES))]
    app = spare.pop() if spare else create_app(settings)
    configure_logs(settings.log_level, readable=settings.environment == "development")
    routes = len(app.router.routes)
    yield renewed(app, settings)
    del app.state.resources
    if len(app.router.routes) == routes and sum(map(len, _spare.values())) < _MOST_SPARE:
        spare.append(app)
    else:
        _empty(app)


def renewed(app: FastAPI, settings: Settings) -> FastAPI:
    """The application with new resources and layers: nothing remembered, nothing counted."""
    app.state.resources = resources(settings)
    app.middleware_stack = None
    return app


@contextmanager
def released(app: FastAPI) -> Iterator[FastAPI]:
    """The application, emptied afterwards."""
    yield app
    _empty(app)


def _empty(app: FastAPI) -> None:
    """Or it would stay in memory.

    FastAPI's caches hold on to the endpoints of the documentation, and these to their application:
    two thousand of them are 2 GB, through which every full garbage collection takes seconds.
    """
    vars(app).clear()


def furnished(app: FastAPI, settings: Settings, db: Connection) -> FastAPI:
    """The application on this connection."""
    database = SharedConnection(db)
    app.state.resources.add(database)
    revocations = app.state.resources[Revocations]
    app.state.resources.add(ServiceKeys(database, settings, revocations))
    return app


@asynccontextmanager
async def talking_to(database_url: str, **settings: Any) -> AsyncIterator[AsyncClient]:
    """Talks to an application with a pool of its own and these settings, without credentials."""
    wanted = Settings(database_url=database_url, **{"log_level": "ERROR", **settings})
    with lent(wanted) as app:
        async with (
            app.router.lifespan_context(app),
            AsyncClient(transport=ASGITransport(app), base_url="http://test") as client,
        ):
            yield client
