"""One line a request: JSON in production, readable in development. Never a key, never a body."""

import json
import logging
import sys
from collections.abc import MutableMapping
from io import StringIO
from itertools import accumulate
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger, Processor

logger: FilteringBoundLogger = structlog.get_logger()

# With its name, quotes and an ellipsis, a value takes at most 1 KiB of a line. One so short does
# even if each of its characters takes four bytes.
_LONGEST = 1000
_SHORT = _LONGEST // 4


def note_cause(line: MutableMapping[str, Any], error: Exception) -> None:
    """Names what stood behind an error in the request's line."""
    if error.__cause__ is not None:
        line["reason"] = type(error.__cause__).__name__


def log_unexpected(line: MutableMapping[str, Any]) -> None:
    """Logs the exception being handled, once, with its traceback."""
    logger.exception("unexpected_error", request_id=line["request_id"])


def configure_logs(level: str, *, readable: bool) -> None:
    """Sends our lines and those of the libraries to standard output in one format.

    Readable for people, or JSON.
    """
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
    ]
    renderers = _console() if readable else _json()
    factory: Any = structlog.BytesLoggerFactory(sys.stdout.buffer)
    if readable:
        factory = structlog.WriteLoggerFactory(sys.stdout)
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    _configure_libraries(level, shared, renderers)


def _console() -> list[Processor]:
    # A traceback without local variables: those hold keys and bodies.
    return [
        _escape,
        _shorten,
        structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), exception_formatter=_write_traceback
        ),
    ]


def _json() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_dump),
    ]


def _shorten(_: Any, __: str, entry: EventDict) -> EventDict:
    """Cuts what is long, tracebacks aside."""
    return {
        name: _shortened(value) if isinstance(value, str) and name != "exception" else value
        for name, value in entry.items()
    }


def _shortened(text: str) -> str:
    """As much of the text as a line has room for."""
    if len(text) <= _SHORT and text.isprintable():
        return text
    sizes = accumulate(map(_size, text[: _LONGEST + 1]))
    fits = sum(size <= _LONGEST for size in sizes)
    return text if fits == len(text) else f"{text[:fits]}…"


def _size(char: str) -> int:
    """Bytes that it takes in JSON."""
    if char.isprintable() and char not in '"\\':
        return len(char.encode())
    return len(json.dumps(char)) - 2


def _escaped(text: str) -> str:
    """With escapes for whatever hides or turns round other text, or steers a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _escape(_: Any, __: str, entry: EventDict) -> EventDict:
    return {
        name: _escaped(value) if isinstance(value, str) else value for name, value in entry.items()
    }


def _write_traceback(stream: TextIO, error: ExcInfo) -> None:
    text = StringIO()
    structlog.dev.plain_traceback(text, error)
    stream.write("\n".join(map(_escaped, text.getvalue().split("\n"))))


def _dump(entry: EventDict, **options: Any) -> bytes:
    line = _to_json(entry, options)
    # orjson has escaped the control characters that JSON does not allow.
    if len(line) <= _LONGEST and line.isascii() and b"\x7f" not in line:
        return line
    return _escaped(_to_json(_shorten(None, "", entry), options).decode()).encode()


def _to_json(entry: EventDict, options: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(entry, **options)
    except TypeError:  # a lone surrogate, which UTF-8 cannot have
        return json.dumps(entry, **options).encode()


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
