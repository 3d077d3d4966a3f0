"""One line a request: JSON in production, readable in development. Never a key, never a body."""

import logging
import sys
from typing import Any

import orjson
import structlog

from app.config import Settings

logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def configure_logs(settings: Settings) -> None:
    """Sends our lines and those of the libraries to standard output in one format."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    development = settings.environment == "development"
    if development:
        ours: list[structlog.typing.Processor] = [
            *shared,
            structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()),
        ]
        factory: Any = structlog.WriteLoggerFactory(sys.stdout)
    else:
        ours = [
            *shared,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ]
        factory = structlog.BytesLoggerFactory(sys.stdout.buffer)
    structlog.configure(
        processors=ours,
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    _configure_libraries(settings.log_level, shared, development)


def _configure_libraries(
    level: str, shared: list[structlog.typing.Processor], development: bool
) -> None:
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
        if development
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    # Our own line says more than the server's.
    logging.getLogger("uvicorn.access").disabled = True
