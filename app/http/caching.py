"""Answers that a client may keep, and ask for again by their tag."""

from hashlib import sha256
from typing import NamedTuple, Self

from fastapi import Request, Response

from app.state import Exchange


def tag_of(content: bytes) -> str:
    """The entity tag of content that is the same byte for byte."""
    return f'"{sha256(content).hexdigest()[:32]}"'


class Published(NamedTuple):
    """JSON that is sent as it is, and the tag that changes with it."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, body: bytes) -> Self:
        """These bytes with their tag."""
        return cls(body, tag_of(body))

    def answer(self, request: Request) -> Response:
        """The bytes, or 304 to a client that has them."""
        return cacheable(request, Response(self.body, media_type="application/json"), self.etag)


def cacheable(
    request: Request, answer: Response, etag: str, max_age: int | None = None
) -> Response:
    """The answer, or 304 to a client that has it; for so many seconds nobody needs to ask again."""
    freshness = "no-cache" if max_age is None else f"max-age={max_age}"
    Exchange.of(request.scope).headers[b"cache-control"] = f"private, {freshness}".encode()
    headers = {"ETag": etag, "Vary": "X-Service-Key, Origin"}
    known = {_opaque(tag) for tag in request.headers.get("if-none-match", "").split(",")}
    if not known.isdisjoint((_opaque(etag), "*")):
        return Response(status_code=304, headers=headers)
    answer.headers.update(headers)
    return answer


def _opaque(tag: str) -> str:
    return tag.strip().removeprefix("W/")
