"""The application: its layers, its doors, its life."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from app import __version__
from app.auth.service_keys import ServiceKeys
from app.config import Settings, settings_to_serve
from app.config.doubts import warn_of_doubts
from app.database import Database
from app.database.folding import fold_regularly
from app.database.purge import purge_regularly
from app.database.revocations import Revocations
from app.database.searches import Searches
from app.database.usage import Usage
from app.doors import DOORS, open_doors
from app.doors.openapi import Opened, completed, operation_ids, routes_of
from app.http.answers import Answer, error_answer
from app.http.cors import CORS
from app.http.dispatch import Branch, Dispatch
from app.http.pages import DOCUMENT, PAGES, pages
from app.http.rate_limits import LateLimiter, Limiter
from app.http.request_log import RequestLog
from app.logs import configure_logs, logger
from app.state import Exchange, Resources

_DESCRIPTION = """The command service behind **Whiskers**, the task manager cat of Cat House.

Press *Authorize*, enter a service key, and try `POST /execute` with one of its examples.
To read rather than to try, there is the same in [ReDoc](redoc)."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application for these settings, or for those of the environment."""
    is_given = settings is not None
    settings = settings or settings_to_serve()
    configure_logs(settings.log_level, readable=settings.environment == "development")
    if not is_given:  # else whoever loaded them warns, once for all workers
        warn_of_doubts(settings)
    app = _documented_app(settings)
    app.state.resources = resources(settings)
    opened = [(door, tuple(door.routers())) for door in open_doors(settings)]
    for door, routers in opened:
        for router in routers:
            app.include_router(router, generate_unique_id_function=operation_ids(door))
    app.openapi = completed(app, opened, settings)  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, _refuse)  # type: ignore[arg-type] # as good
    app.build_middleware_stack = _layers(app, opened, settings)  # type: ignore[method-assign]
    return app


def _layers(app: FastAPI, opened: Opened, settings: Settings) -> Callable[[], ASGIApp]:
    """What makes the layers that a request passes.

    FastAPI's own answer only for what is no door's, without the outermost, which would tell faults
    in a way of its own.
    """
    build = app.build_middleware_stack
    routes = {door.name: routes_of(routers) for door, routers in opened}
    branches = [
        Branch(door.paths, routes[door.name], door.shape)
        if door.name in routes
        else Branch(door.paths)
        for door in DOORS
    ]
    if app.openapi_url:
        branches.append(Branch(PAGES, routes_of([pages(app)])))
    rules = {door.paths: door.cors for door in DOORS}

    def build_ours() -> ASGIApp:
        outermost: Any = build()
        cors = CORS(Dispatch(outermost.app, branches), settings.cors_origins, rules)
        return RequestLog(cors, secure=settings.environment == "production")

    return build_ours


def resources(settings: Settings) -> Resources:
    database = Database(settings)
    resources = Resources(settings, database, Searches())
    revocations, usage = Revocations(resources), Usage(resources)
    resources.add(revocations)
    resources.add(ServiceKeys(database, settings, revocations))
    resources.add(usage, close=usage.close)
    limiter = _limiter(settings)
    resources.add(limiter, close=limiter.close)
    opened = open_doors(settings)
    resources.doors = [door.name for door in opened]
    for door in opened:
        if door.equip is not None:
            door.equip(resources, settings)
    return resources


def _limiter(settings: Settings) -> Limiter:
    def make() -> Limiter:
        # Most workers have no limit to count, and do without its libraries.
        from app.http.rate_limiter import RateLimiter  # noqa: PLC0415

        return RateLimiter(settings)

    return make() if settings.limits_requests else LateLimiter(make)


def _documented_app(settings: Settings) -> FastAPI:
    options: dict[str, Any] = {
        "title": "Task Manager API",
        "version": __version__,
        "description": _DESCRIPTION,
        "license_info": {"name": "MIT", "identifier": "MIT"},
        "lifespan": _lifespan,
        "redirect_slashes": False,
        "telemetry": _telemetry(),
        "openapi_url": None,
    }
    app = FastAPI(**options)
    if settings.serves_docs:
        # Told now, or FastAPI would serve it, and make it on the event loop.
        app.openapi_url = DOCUMENT
    return app


def _traced() -> bool:
    wanted = re.compile("OTEL_.*(ENDPOINT|EXPORTER)")
    return any(map(wanted.fullmatch, os.environ)) and os.getenv("OTEL_SDK_DISABLED") != "true"


def _telemetry() -> TelemetryConfig:
    """FastAPI's OpenTelemetry, where the standard variables ask for it; otherwise none at all."""
    asked = _traced()
    return {"auto_configure": asked, "tracing": asked, "metrics": asked, "logs": asked}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    resources: Resources = app.state.resources
    settings, database = resources[Settings], resources[Database]
    logger.info(
        "configuration_loaded",
        environment=settings.environment,
        log_level=settings.log_level,
        doors=resources.doors,
    )
    if "contacts" in resources.doors and settings.aws_s3_bucket is None:
        logger.info("mirror_is_off", remedy="AWS_S3_BUCKET")
    if not settings.opens_webhooks:
        logger.info("webhooks_are_off", remedy="ENCRYPTION_KEY")
    await database.open()
    await resources.open()
    regularly = (
        asyncio.create_task(purge_regularly(database, settings)),
        asyncio.create_task(fold_regularly(database)),
        asyncio.create_task(resources[Usage].flush_regularly()),
    )
    yield
    for task in regularly:
        task.cancel()
    await resources.close()
    await database.close()


async def _refuse(request: Request, error: Exception) -> Answer:
    return error_answer(Exchange.of(request.scope), error)


def __getattr__(name: str) -> FastAPI:
    """`app.main:app` for servers that expect an instance."""
    if name == "app":
        return create_app()
    raise AttributeError(name)
