"""One request as the SDK's dispatcher sees it."""

from collections.abc import Mapping
from typing import Any

import anyio
from fastapi import Request
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext


class Incoming:
    """A request over HTTP that is answered once: its client can neither be asked nor notified."""

    can_send_request = False

    def __init__(self, request: Request, message_id: int | str) -> None:
        self.request_id = message_id
        self.message_metadata = ServerMessageMetadata(request_context=request)

    @property
    def transport(self) -> TransportContext:
        """Which way the request came."""
        return TransportContext(kind="streamable-http", can_send_request=False)

    @property
    def cancel_requested(self) -> anyio.Event:
        """Never set: who cancels closes the connection."""
        return anyio.Event()

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """NoBackChannelError: there is no way back."""
        raise NoBackChannelError(method)

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Nothing: the answer is one message."""

    async def progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Nothing either."""
