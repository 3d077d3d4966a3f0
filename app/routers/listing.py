"""Whole lists as bare JSON arrays, fetched and sent page by page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json

from app.models.page import MAX_LIMIT, Page

Fetch = Callable[[Any], Awaitable[Sequence[Any]]]


async def listing(fetch: Fetch, query: Page) -> Response:
    """Everything that `fetch` finds for the query, newest first.

    However long the list, a page of it is in memory, and no connection is held while the client
    reads. What goes wrong with the first page is still answered with a status of its own.
    """
    pages = _pages(fetch, query.model_copy(update={"limit": MAX_LIMIT}))
    first = await anext(pages)
    if len(first) < MAX_LIMIT:
        return Response(to_json(first), media_type="application/json")
    return StreamingResponse(_array(first, pages), media_type="application/json")


async def _pages(fetch: Fetch, query: Page) -> AsyncIterator[Sequence[Any]]:
    page: Page | None = query
    while page is not None:
        entries = await fetch(page)
        yield entries
        page = page.following(entries)


async def _array(
    first: Sequence[Any], others: AsyncIterator[Sequence[Any]]
) -> AsyncIterator[bytes]:
    yield to_json(first)[:-1]
    async for entries in others:
        if entries:
            yield b"," + to_json(entries)[1:-1]
    yield b"]"
