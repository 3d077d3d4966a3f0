"""One JSON line a request through the standard library's logging."""

import json
import logging
import sys
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from uuid import uuid4


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The message with whatever `extra` holds under `request`."""
        return json.dumps(
            {
                "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
                "level": record.levelname.lower(),
                "event": record.getMessage(),
                **getattr(record, "request", {}),
            }
        )


LOGGER = logging.getLogger("ordinary")


class RequestLog:
    """One line a request. Pure ASGI: Starlette's BaseHTTPMiddleware would cost twice as much."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = perf_counter()
        entry = {"request_id": uuid4().hex, "method": scope["method"], "path": scope["path"]}

        async def send_noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_noting)
        finally:
            entry["duration_ms"] = round((perf_counter() - started) * 1000, 2)
            LOGGER.info("request", extra={"request": entry})


def configure() -> None:
    """Sends the lines to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    LOGGER.addHandler(handler)
    LOGGER.setLevel("INFO")
