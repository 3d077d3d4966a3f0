"""A provider of AI models, which answers as a test wants it to."""

import asyncio
from types import TracebackType
from typing import Self


def http(status: str, body: bytes, *headers: bytes) -> bytes:
    head = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*head, b"", body])


ANSWERS = {
    "accept": http("200 OK", b'{"models": [{"name": "gemini-9"}]}'),
    "refuse": http("400 Bad Request", b'{"error": {"status": "INVALID_ARGUMENT"}}'),
    "forbid": http("403 Forbidden", b""),
    "overload": http("429 Too Many Requests", b""),
    "break": http("500 Internal Server Error", b"Traceback"),
    "redirect": http("302 Found", b"", b"Location: http://localhost:1/"),
    "other page": http("200 OK", b"<html>Please sign in</html>"),
    "other JSON": http("200 OK", b'["models"]'),
    "flood": http("200 OK", b'{"models": "' + b"x" * 10_000_000),
    "garbage": b"\x00\xffneither HTTP nor anything else\r\n\r\n",
    "nothing": b"",
}
HANG = "hang"
"""A behaviour: the request is read, and nothing follows."""


class Provider:
    """Serves on a port of its own; keeps the requests it got."""

    def __init__(self) -> None:
        self.behaviour = "accept"
        self.requests: list[bytes] = []
        self._released = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._released.set()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        if self.behaviour == HANG:
            await self._released.wait()
        else:
            writer.write(self.answer())
        writer.close()

    def answer(self) -> bytes:
        """What is sent for a request."""
        return ANSWERS[self.behaviour]

    async def asked(self) -> None:
        """Waits until somebody has asked."""
        async with asyncio.timeout(5):
            while not self.requests:
                await asyncio.sleep(0.01)
