"""Long answers of actions, part by part."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from app.commands.models import Json
from app.http.answers import Piece
from app.services import Connection

Fetch = Callable[[Callable[[Connection], Awaitable[Json[Any]]]], Awaitable[Json[Any]]]
"""Asks for the next part of a long list, on whichever connection there is then."""


def pieces(part: Json[Any], fetch: Fetch, opening: bytes = b"") -> Piece:
    """A part of a long list. No connection is held while the client reads it."""
    rest = None if part.rest is None else partial(_next_piece, part.rest, fetch)
    return Piece(opening + part.text, rest)


async def _next_piece(rest: Callable[[Connection], Awaitable[Json[Any]]], fetch: Fetch) -> Piece:
    return pieces(await fetch(rest), fetch)
