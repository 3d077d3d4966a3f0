"""What a tool call is told: data that fits its schema, or one sentence."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json, to_json

from app.errors import AppError
from app.state import Exchange

Result = dict[str, Any]

MOST_BYTES = 64_000
"""What the data may take of an answer, as data and, for clients that read only that, as text."""
_SHORTEST = 100
_ATTEMPTS = (
    *((longest, True) for longest in (8000, 2000, 500, _SHORTEST)),
    *((longest, False) for longest in (500, _SHORTEST)),
)
"""How long texts may be, and whether the data is told twice, until it is short enough."""
_MOST_TO_CUT = 1024 * 1024
"""Bytes of which it is still tried: one task's description takes 600 kB at most."""
_ELSEWHERE = "The answer is in structuredContent: as a text too it would take more than 64 kB."


def size_of(text: bytes) -> int:
    """The bytes that this JSON takes of an answer."""
    return len(text) + len(to_json(text.decode()))


def success(text: bytes, meta: Result, notes: Sequence[str] = ()) -> Result | None:
    """The result of a call that was performed, and whose data is this JSON.

    None where not even with its long texts cut it is short enough.
    """
    if size_of(text) <= MOST_BYTES:
        return _result(from_json(text), [text.decode(), *notes], meta)
    if len(text) <= _MOST_TO_CUT:
        data = from_json(text)
        if len(to_json(_cut(data, _SHORTEST))) <= MOST_BYTES:
            return _shortened(data, meta, notes)
    return None


def _shortened(data: Any, meta: Result, notes: Sequence[str]) -> Result:
    """The result with its longest texts cut, told once if need be; the last attempt fits."""
    for longest, twice in _ATTEMPTS:
        shorter = _cut(data, longest)
        text = to_json(shorter)
        if (size_of(text) if twice else len(text)) <= MOST_BYTES:
            break
    if shorter != data:
        cut = f"Texts of more than {longest} characters are cut: never write them back."
        notes = (*notes, cut)
    return _result(shorter, [text.decode() if twice else _ELSEWHERE, *notes], meta)


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str) and len(value) > longest:
        return f"{value[:longest]}…"
    if isinstance(value, list):
        return [_cut(member, longest) for member in value]
    if isinstance(value, dict):
        return {
            name: member if name.endswith("cursor") else _cut(member, longest)
            for name, member in value.items()
        }
    return value


def refusal(exchange: Exchange, error: AppError) -> Result:
    """The result of a call that was refused, or that failed."""
    exchange.log["outcome"] = error.status
    sentence, seconds = error.message, error.headers.get("Retry-After")
    if seconds is not None and "try again" not in sentence:
        sentence = f"{sentence}; try again in {seconds} s"
    told = {"status": error.status} | ({"code": error.code} if error.code else {})
    return _result(None, [sentence], {"error": told})


def _result(data: Any, texts: Sequence[str], meta: Result) -> Result:
    return {
        "resultType": "complete",
        "content": [{"type": "text", "text": text} for text in texts],
        **({"isError": True} if data is None else {"structuredContent": data, "isError": False}),
        **({"_meta": meta} if meta else {}),
    }
