"""Whole lists as bare JSON arrays, fetched and sent part by part."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic_core import to_json


async def listing(parts: AsyncIterator[Sequence[Any]]) -> Response:
    """One array of what all parts have, of which two at most are in memory.

    What goes wrong with the first two is still answered with a status of its own.
    """
    first, second = await anext(parts), await anext(parts, None)
    if not second:
        return Response(to_json(first), media_type="application/json")
    return StreamingResponse(_array(first, second, parts), media_type="application/json")


async def _array(
    first: Sequence[Any], second: Sequence[Any], others: AsyncIterator[Sequence[Any]]
) -> AsyncIterator[bytes]:
    yield to_json(first)[:-1]
    yield b"," + to_json(second)[1:-1]
    async for entries in others:
        if entries:
            yield b"," + to_json(entries)[1:-1]
    yield b"]"
