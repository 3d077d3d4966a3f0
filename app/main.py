"""The application: its middleware, its doors, its error answers, its life."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from app import __version__
from app.auth.service_keys import ServiceKeys
from app.commands.router import Commands
from app.commands.router import router as commands
from app.config import Settings, settings_to_serve
from app.config.doubts import warn_of_doubts
from app.database import Database
from app.database.purge import purge_regularly
from app.database.searches import Searches
from app.doors import open_doors
from app.errors import AppError
from app.http.answers import refusal
from app.http.cors import CORS
from app.http.faults import Faults
from app.http.guard import ErrorShape, refuse_http
from app.http.paths import OwnSpelling
from app.http.request_log import QueryLimit, RequestLog
from app.logs import configure_logs, logger

_DESCRIPTION = """The command service behind **Whiskers**, the task manager cat of Cat House.

Press *Authorize*, enter a service key, and try `POST /execute` with one of its examples."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application for these settings, or for those of the environment."""
    is_given = settings is not None
    settings = settings or settings_to_serve()
    configure_logs(settings)
    if not is_given:  # else whoever loaded them warns, once for all workers
        warn_of_doubts(settings)
    app = _documented_app(settings)
    app.state.settings = settings
    app.state.database = Database(settings)
    app.state.service_keys = ServiceKeys(app.state.database, settings)
    app.state.searches = Searches()
    app.state.execute_limit, app.state.closing = None, []
    # Not included like the others: FastAPI would wrap the route, and it brings its own wrapping.
    app.router.routes.extend(commands.routes)
    open_doors(app, settings)
    app.openapi = _openapi(app)  # type: ignore[method-assign]
    app.add_exception_handler(AppError, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_exception_handler(HTTPException, _answer_http_error)
    # The one added last sees a request first.
    app.add_middleware(QueryLimit)
    app.add_middleware(OwnSpelling)
    if not _traced():
        app.add_middleware(Commands)
    app.add_middleware(Faults)
    app.add_middleware(CORS, origins=settings.cors_origins)
    app.add_middleware(RequestLog, secure=settings.environment == "production")
    return app


def _documented_app(settings: Settings) -> FastAPI:
    options: dict[str, Any] = {
        "title": "Task Manager API",
        "version": __version__,
        "description": _DESCRIPTION,
        "license_info": {"name": "MIT", "identifier": "MIT"},
        "lifespan": _lifespan,
        "redirect_slashes": False,
        "telemetry": _telemetry(),
        "swagger_ui_parameters": {"validatorUrl": None, "persistAuthorization": True},
    }
    if settings.serves_docs:
        return FastAPIOffline(**options)
    return FastAPI(**options, openapi_url=None, docs_url=None, redoc_url=None)


def _traced() -> bool:
    wanted = re.compile("OTEL_.*(ENDPOINT|EXPORTER)")
    return any(map(wanted.fullmatch, os.environ)) and os.getenv("OTEL_SDK_DISABLED") != "true"


def _openapi(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """FastAPI documents 422 wherever it validates; some doors answer another status instead."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for route in iter_route_contexts(app.routes):
            shape: ErrorShape | None = getattr(route.original_route, "error_shape", None)
            if shape and shape.invalid not in {None, 422}:
                for method in route.methods or ():
                    document["paths"][route.path_format][method.lower()]["responses"].pop(
                        "422", None
                    )
        return document

    return openapi


def _telemetry() -> TelemetryConfig:
    """FastAPI's OpenTelemetry, where the standard variables ask for it; otherwise none at all."""
    asked = _traced()
    return {"auto_configure": asked, "tracing": asked, "metrics": asked, "logs": asked}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    database: Database = app.state.database
    logger.info(
        "configuration_loaded",
        environment=settings.environment,
        log_level=settings.log_level,
        doors=settings.doors,
    )
    if "contacts" in settings.doors and settings.aws_s3_bucket is None:
        logger.info("mirror_is_off", remedy="AWS_S3_BUCKET")
    await database.open()
    purging = asyncio.create_task(purge_regularly(database, settings.purge_after_days))
    yield
    purging.cancel()
    for close in app.state.closing:
        await close()
    await database.close()


async def _answer(request: Request, error: Exception) -> Response:
    return refusal(request.scope, error)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """In the words of the door; 405 names all methods of the path, which may be several routes."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    if error.status_code == 405:
        allowed = {
            method
            for route in iter_route_contexts(request.app.routes)
            if route.methods and route.path_regex.match(request.url.path)
            for method in route.methods
        }
        allowed |= {"HEAD"} if "GET" in allowed else set()
        error.headers = {"Allow": ", ".join(sorted(allowed))}
    shape: ErrorShape | None = getattr(request.scope.get("route"), "error_shape", None)
    return refuse_http(error, shape) if shape else refusal(request.scope, error)


def __getattr__(name: str) -> FastAPI:
    """`app.main:app` for servers that expect an instance."""
    if name == "app":
        return create_app()
    raise AttributeError(name)
