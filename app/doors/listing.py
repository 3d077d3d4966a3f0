"""Whole lists, fetched and sent piece by piece."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from fastapi import Request, Response
from pydantic_core import to_json

from app.commands.action import Action
from app.commands.models import Json
from app.database.requests import get_db, read
from app.http.answers import ListResponse, Piece
from app.http.guard import perform
from app.models.caller import Caller
from app.models.page import ALL, Page
from app.models.task import Task
from app.models.task_list import NEWEST_FIRST, TaskFilter, TaskSort
from app.services import Connection
from app.services.task_lists import Slice
from app.services.task_rows import fetch_rows


class Frame(NamedTuple):
    """What stands before the entries, and behind so many of them."""

    opening: bytes = b"["
    closing: Callable[[int], bytes] = lambda _: b"]"


ARRAY = Frame()
Shown = tuple[Sequence[Any], Slice | None]
"""Entries as the door shows them, and what is left of the slice."""
Fetch = Callable[[Slice], Awaitable[Shown]]


async def all_tasks(
    request: Request,
    show: Callable[[Task], Any],
    filters: TaskFilter,
    sort: TaskSort = NEWEST_FIRST,
    frame: Frame = ARRAY,
) -> Response:
    """The caller's tasks as the door shows them."""
    caller: Caller = request.state.caller

    async def fetch(part: Slice) -> Shown:
        question = partial(
            fetch_rows, user_id=caller.user_id, filters=filters, sort=sort, part=part
        )
        rows = await read(request, question, reader=caller.user_id)
        return [show(task) for task in rows.tasks], rows.rest

    return await listing(fetch, Slice(), frame)


async def listing(fetch: Fetch, part: Slice, frame: Frame) -> Response:
    """All of a slice in one answer, of which one part is in memory.

    What goes wrong with the first part is still answered with a status of its own.
    """
    return _answer(await _shown(fetch, part, frame))


async def _shown(fetch: Fetch, part: Slice, frame: Frame, count: int = 0) -> Piece:
    """The entries from here on, after so many."""
    entries, rest = await fetch(part)
    opening = b"," if count and entries else b"" if count else frame.opening
    count += len(entries)
    text = opening + to_json(entries)[1:-1]
    if rest is None:
        return Piece(text + frame.closing(count), None)
    return Piece(text, partial(_shown, fetch, rest, frame, count))


async def whole_list(request: Request, action: Action, query: Page) -> Response:
    """All that the action finds, as an array."""
    everything = query.model_copy(update={"limit": ALL})
    return _answer(_bare(request, await perform(request, action, everything), ARRAY.opening))


def _bare(request: Request, part: Json[Any], opening: bytes) -> Piece:
    """The entries, without the object that the action puts around them."""
    text = opening + part.entries
    if part.rest is None:
        return Piece(text + ARRAY.closing(0), None)
    return Piece(text, partial(_next_bare, request, part.rest))


async def _next_bare(
    request: Request, fetch: Callable[[Connection], Awaitable[Json[Any]]]
) -> Piece:
    async with get_db(request) as db:
        part = await fetch(db)
    return _bare(request, part, b"," if part.entries else b"")


def _answer(piece: Piece) -> Response:
    if piece.rest is None:
        return Response(piece.text, media_type="application/json")
    return ListResponse(piece)
