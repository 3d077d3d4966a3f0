"""One line a request: JSON in production, readable in development. Never a key, never a body."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from app.config import Settings

logger: FilteringBoundLogger = structlog.get_logger()


def note_cause(scope: MutableMapping[str, Any], error: Exception) -> None:
    """Names what stood behind an error in the request's line."""
    if error.__cause__ is not None:
        scope["log"]["reason"] = type(error.__cause__).__name__


def log_unexpected(scope: MutableMapping[str, Any]) -> None:
    """Logs the exception being handled, once, with its traceback."""
    logger.exception("unexpected_error", request_id=scope["log"]["request_id"])


def configure_logs(settings: Settings) -> None:
    """Sends our lines and those of the libraries to standard output in one format."""
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    renderers = _console() if settings.environment == "development" else _json()
    factory: Any = structlog.BytesLoggerFactory(sys.stdout.buffer)
    if settings.environment == "development":
        factory = structlog.WriteLoggerFactory(sys.stdout)
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    _configure_libraries(settings.log_level, shared, renderers)


def _console() -> list[Processor]:
    # A traceback without local variables: those hold keys and bodies.
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]


def _json() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=orjson.dumps),
    ]


def _configure_libraries(level: str, shared: list[Processor], renderers: list[Processor]) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderers,
                _as_text,
            ],
            foreign_pre_chain=shared,
        )
    )
    # Other libraries speak up when something is wrong; some would log whole URLs otherwise.
    logging.basicConfig(level="WARNING", handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error"):
        library = logging.getLogger(name)
        library.handlers.clear()
        # Our own line says more than the server's, which then costs nothing.
        library.propagate = name != "uvicorn.access"
        library.setLevel(level)


def _as_text(_: Any, __: str, line: Any) -> str:
    return line.decode() if isinstance(line, bytes) else str(line)
