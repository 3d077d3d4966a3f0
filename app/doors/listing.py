"""Whole lists, fetched and sent piece by piece."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

from fastapi import Request
from starlette.types import ASGIApp

from app.commands.action import Action
from app.commands.handlers.task_rows import SpelledQuery, TaskQuery, find_tasks
from app.commands.models import Json
from app.commands.perform import ask, perform
from app.http.answers import Answer, ListResponse, Piece
from app.models.page import ALL, Page
from app.models.spelling import Spelling
from app.models.task_list import Slice
from app.state import Exchange


class Frame(NamedTuple):
    """What stands before the entries, and behind so many of them."""

    opening: bytes = b"["
    closing: Callable[[int], bytes] = lambda _: b"]"


ARRAY = Frame()


class Shown(NamedTuple):
    """Entries as the door shows them, with commas between, and what is left of the slice."""

    text: bytes
    size: int
    rest: Slice | None


Fetch = Callable[[Slice], Awaitable[Shown]]


async def all_tasks(
    request: Request, query: TaskQuery, spelling: Spelling, frame: Frame = ARRAY
) -> ASGIApp:
    """The caller's tasks as the door spells them."""

    async def fetch(part: Slice) -> Shown:
        asked = SpelledQuery(query._replace(part=part), spelling)
        page = await perform(request, find_tasks, asked)
        return Shown(page.tasks, page.size, page.rest)

    return await listing(fetch, query.part, frame)


async def listing(fetch: Fetch, part: Slice, frame: Frame) -> ASGIApp:
    """All of a slice in one answer, of which one part is in memory.

    What goes wrong with the first part is still answered with a status of its own.
    """
    return _answer(await _piece(fetch, part, frame))


async def _piece(fetch: Fetch, part: Slice, frame: Frame, count: int = 0) -> Piece:
    """The entries from here on, after so many."""
    shown = await fetch(part)
    opening = frame.opening if not count else b"," if shown.size else b""
    count += shown.size
    closing = frame.closing(count) if shown.rest is None else b""
    following = None if shown.rest is None else partial(_piece, fetch, shown.rest, frame, count)
    return Piece(b"".join((opening, shown.text, closing)), following)


async def whole_list(request: Request, action: Action, query: Page) -> ASGIApp:
    """All that the action finds, as an array."""
    everything = query.model_copy(update={"limit": ALL})
    first = await perform(request, action, everything)
    exchange = Exchange.of(request.scope)
    fetch = partial(ask, exchange, action, everything, reader=exchange.caller.user_id)
    return _answer(_bare(fetch, first, b"["))


_Ask = Callable[[Any], Awaitable[Json[Any]]]


def _bare(fetch: _Ask, part: Json[Any], opening: bytes) -> Piece:
    """The entries, without the object that the action puts around them."""
    text = opening + part.entries
    if part.rest is None:
        return Piece(text + b"]", None)
    return Piece(text, partial(_next_bare, fetch, part.rest))


async def _next_bare(fetch: _Ask, rest: object) -> Piece:
    part = await fetch(rest)
    return _bare(fetch, part, b"," if part.entries else b"")


def _answer(piece: Piece) -> ASGIApp:
    return Answer(piece.text) if piece.rest is None else ListResponse(piece)
