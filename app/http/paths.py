"""Which spellings of a path and its query lead anywhere."""

import re
from urllib.parse import quote_from_bytes, unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.types import Scope

GUARDED = ("/admin", "/metrics", "/docs", "/redoc", "/openapi.json")
"""What a proxy may guard by its path; such paths hold nothing that needs an escape."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def leads_nowhere(scope: Scope) -> bool:
    """Whether it is a guarded path in an escaped spelling, is no UTF-8, or has a control character.

    A proxy compares what is sent; the application routes by what it means.
    """
    raw_path: bytes = scope.get("raw_path", b"")
    if b"%" not in raw_path:
        return False
    path: str = scope["path"]
    return path.startswith(GUARDED) or _CONTROL.search(path) is not None or not _is_utf8(raw_path)


def without_trailing_slash(path: str) -> str:
    """The path that is meant by one with a slash at its end."""
    return path[:-1] if path.endswith("/") and path != "/" else path


_ASCII = bytes(range(128))


def not_utf8() -> HTTPException:
    """The refusal of a query whose bytes are no text."""
    return HTTPException(400, "The query is not UTF-8")


def require_utf8(scope: Scope) -> None:
    """Has the query read as UTF-8, whether its bytes are escaped or not; 400 where they are none.

    Starlette would replace what is none, and read what is not escaped as Latin-1.
    """
    query: bytes = scope["query_string"]
    if b"%" not in query and query.isascii():
        return
    if not _is_utf8(query):
        raise not_utf8()
    scope["query_string"] = quote_from_bytes(query, _ASCII).encode()


def _is_utf8(escaped: bytes) -> bool:
    try:
        unquote_to_bytes(escaped).decode()
    except UnicodeDecodeError:
        return False
    return True
