"""The time that a request may spend on the database."""

from collections.abc import MutableMapping
from time import monotonic
from typing import Any

DEADLINE = 4.2
"""Seconds one request may spend waiting for a connection and on its statements."""


class OnTheClock:
    """Takes what happens meanwhile off the request's deadline."""

    __slots__ = ("_before", "_scope", "_started")

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        self._before, self._started = self._scope.get("waited", 0.0), monotonic()

    def __exit__(self, *_: object) -> None:
        self._scope["waited"] = self._before + monotonic() - self._started


def time_left(scope: MutableMapping[str, Any]) -> float:
    """Seconds until the request's deadline.

    Once the answer has begun, each part of it has a deadline of its own.
    """
    if "status" in scope["log"]:
        return DEADLINE
    return DEADLINE - float(scope.get("waited", 0.0))
