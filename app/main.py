"""The application: its middleware, its doors, its error answers, its life."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from app import __version__
from app.auth import ServiceKeys
from app.commands.router import router as commands
from app.config import Settings, load_settings
from app.database import Database
from app.errors import AppError
from app.logs import configure_logs, logger, note_cause
from app.middleware import CORS, BodyLimit, Faults, RequestLog, error_response
from app.routers import actions, admin, contacts, health, metrics, stats
from app.routes import ErrorShape, refuse_http

_DESCRIPTION = """The command service behind **Whiskers**, the task manager cat of Cat House.

Press *Authorize*, enter a service key, and try `POST /execute` with one of its examples."""


_DOORS: dict[str, tuple[APIRouter, ...]] = {
    "commands": (stats.router, actions.router, admin.router, health.router, metrics.router),
    "contacts": (contacts.router,),
}


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application for these settings, or for those of the environment."""
    settings = settings or load_settings()
    configure_logs(settings)
    app = _documented_app(settings)
    app.state.settings = settings
    app.state.database = Database(settings)
    app.state.service_keys = ServiceKeys(app.state.database, settings)
    # Not included like the others: FastAPI would wrap the route, and it brings its own wrapping.
    app.router.routes.extend(commands.routes)
    for name in settings.doors:
        for router in _DOORS[name]:
            app.include_router(router)
    app.add_exception_handler(AppError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    # The one added last sees a request first.
    app.add_middleware(BodyLimit)
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


def _telemetry() -> TelemetryConfig:
    """FastAPI's OpenTelemetry, where the standard variables ask for it; otherwise none at all."""
    wanted = re.compile("OTEL_.*(ENDPOINT|EXPORTER)")
    asked = any(map(wanted.fullmatch, os.environ)) and os.getenv("OTEL_SDK_DISABLED") != "true"
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
    yield
    await database.close()


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)  # noqa: S101 - registered for nothing else
    note_cause(request.scope, error)
    return error_response(error)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """In the words of the door, or as FastAPI does.

    405 names all methods of the path, which may be several routes.
    """
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    if error.status_code == 405:
        allowed = {
            method
            for route in iter_route_contexts(request.app.routes)
            if route.methods and route.path_regex.match(request.url.path)
            for method in route.methods
        }
        error.headers = {"Allow": ", ".join(sorted(allowed))}
    shape: ErrorShape | None = getattr(request.scope.get("route"), "error_shape", None)
    return refuse_http(error, shape) if shape else await http_exception_handler(request, error)


async def _answer_validation_error(_: Request, error: Exception) -> Response:
    """Says what is wrong and where; never what was sent."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    details = [
        {"type": detail["type"], "loc": detail["loc"], "msg": detail["msg"]}
        for detail in error.errors()
    ]
    return JSONResponse({"detail": details}, 422)


def __getattr__(name: str) -> FastAPI:
    """`app.main:app` for servers that expect an instance."""
    if name == "app":
        return create_app()
    raise AttributeError(name)
