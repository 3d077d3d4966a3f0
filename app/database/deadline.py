"""The time that a request may spend on the database."""

from time import monotonic

from app.state import Exchange

DEADLINE = 4.2
"""Seconds one request may spend waiting for a connection and on its statements."""


class on_the_clock:  # noqa: N801 - reads as a statement
    """Takes what happens meanwhile off the request's deadline."""

    __slots__ = ("_before", "_exchange", "_started")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __enter__(self) -> None:
        self._before, self._started = self._exchange.waited, monotonic()

    def __exit__(self, *_: object) -> None:
        self._exchange.waited = self._before + monotonic() - self._started


def time_left(exchange: Exchange) -> float:
    """Seconds until the request's deadline.

    Once the answer has begun, each part of it has a deadline of its own.
    """
    return DEADLINE if exchange.begun else DEADLINE - exchange.waited
