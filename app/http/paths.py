"""Which spellings of a path lead anywhere."""

import re

from starlette.types import Scope

GUARDED = ("/admin", "/metrics", "/docs", "/redoc", "/openapi.json")
"""What a proxy may guard by its path; such paths hold nothing that needs an escape."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def leads_nowhere(scope: Scope) -> bool:
    """Whether it is a guarded path in an escaped spelling, or has a control character.

    A proxy compares what is sent; the application routes by what it means.
    """
    if b"%" not in scope.get("raw_path", b""):
        return False
    path: str = scope["path"]
    return path.startswith(GUARDED) or _CONTROL.search(path) is not None
