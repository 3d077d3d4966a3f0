"""Whole lists, fetched and sent part by part."""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from app.database import read
from app.models.caller import Caller
from app.models.task import Task
from app.models.task_list import NEWEST_FIRST, TaskFilter, TaskSort
from app.services.task_lists import Slice, fetch_rows


class Frame(NamedTuple):
    """What stands before the tasks, and behind so many of them."""

    opening: bytes = b"["
    closing: Callable[[int], bytes] = lambda _: b"]"


ARRAY = Frame()
Parts = AsyncIterator[Sequence[Any]]


async def all_tasks(
    request: Request,
    show: Callable[[Task], Any],
    filters: TaskFilter,
    sort: TaskSort = NEWEST_FIRST,
) -> Parts:
    """The caller's tasks as the door shows them."""
    caller: Caller = request.state.caller
    part = Slice()
    while True:
        fetch = partial(fetch_rows, user_id=caller.user_id, filters=filters, sort=sort, part=part)
        rows = await read(request, fetch, reader=caller.user_id)
        yield [show(task) for task in rows.tasks]
        if rows.last is None:
            return
        part = Slice(after=rows.last)


async def listing(parts: Parts, frame: Frame = ARRAY) -> Response:
    """All parts in one answer, of which two at most are in memory.

    What goes wrong with the first two is still answered with a status of its own.
    """
    first, second = await anext(parts), await anext(parts, None)
    if not second:
        whole = frame.opening + to_json(first)[1:-1] + frame.closing(len(first))
        return Response(whole, media_type="application/json")
    return StreamingResponse(_stream(first, second, parts, frame), media_type="application/json")


async def _stream(
    first: Sequence[Any], second: Sequence[Any], others: Parts, frame: Frame
) -> AsyncIterator[bytes]:
    yield frame.opening + to_json(first)[1:-1]
    yield b"," + to_json(second)[1:-1]
    count = len(first) + len(second)
    async for entries in others:
        if entries:
            count += len(entries)
            yield b"," + to_json(entries)[1:-1]
    yield frame.closing(count)
