"""A TCP proxy in front of a Unix socket, which can be cut or go silent."""

import asyncio
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards bytes both ways until it is told otherwise."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._open: set[asyncio.StreamWriter] = set()
        self._silent: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        self.cut()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self) -> None:
        """Ends every connection at once."""
        for writer in self._open:
            writer.transport.abort()

    def silence(self) -> None:
        """Half-opens the present connections: nothing passes, nothing ends. New ones work."""
        self._silent |= self._open

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._socket_path)
        self._open |= {writer, up_writer}
        for source, sink in ((reader, up_writer), (up_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if sink not in self._silent:
                    sink.write(data)
                    await sink.drain()
        except ConnectionError:
            pass
        finally:
            if sink not in self._silent:
                sink.close()
