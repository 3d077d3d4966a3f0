"""Agents: the SDK's own client, and messages as anybody may send them."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from json import dumps
from typing import Any, cast

import httpx2
from fastapi import FastAPI
from httpx import AsyncClient, Response
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, RequestParamsMeta, TextContent

from app.commands.registry import ACTION_HANDLERS
from app.models.key import NewKey
from app.services import Connection, keys
from tests.conftest import SERVICE_HEADERS

MODERN, HANDSHAKE = "2026-07-28", "legacy"
ERAS = ("auto", HANDSHAKE)
"""How the SDK's client begins: it asks which revisions there are, or shakes hands."""
FOR_USER = {**SERVICE_HEADERS, "X-User-ID": "user_123"}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def _encoded(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in headers.items()}


@asynccontextmanager
async def agent(
    app: FastAPI, era: str = ERAS[0], headers: Mapping[str, str] = FOR_USER
) -> AsyncIterator[Client]:
    """The SDK's client, connected to the application within this process."""
    transport = httpx2.ASGITransport(app)
    async with (
        httpx2.AsyncClient(transport=transport, headers=_encoded(headers)) as http,
        Client(streamable_http_client("http://test/mcp", http_client=http), mode=era) as client,
    ):
        assert client.protocol_version == ("2025-11-25" if era == HANDSHAKE else MODERN)
        yield client


async def agent_key(db: Connection, **limits: Any) -> dict[str, str]:
    """Headers with a new key that has these limits."""
    value = keys.generate("dev", None)
    await keys.insert_key(db, NewKey(key_name="agent", environment="dev", **limits), value)
    return {"Authorization": f"Bearer {value}"}


def guided(text: str) -> list[str]:
    """The actions that a text for models names, in its order."""
    return [name for name in re.findall(r"`([a-z-]+)`", text) if name in ACTION_HANDLERS]


def options(**given: Any) -> RequestParamsMeta:
    """What goes with a call beside its arguments."""
    return cast("RequestParamsMeta", given)


def texts_of(result: CallToolResult) -> list[str]:
    """What a client reads that knows no structured content."""
    return [content.text for content in result.content if isinstance(content, TextContent)]


def refused(result: CallToolResult) -> str:
    """The sentence of a refusal."""
    assert result.is_error
    assert result.structured_content is None
    (sentence,) = texts_of(result)
    return sentence


def data_of(result: CallToolResult) -> dict[str, Any]:
    """The data of a success."""
    assert not result.is_error, texts_of(result)
    data: dict[str, Any] | None = result.structured_content
    assert data is not None
    return data


async def send(
    client: AsyncClient, message: Any, headers: Mapping[str, str] = FOR_USER
) -> Response:
    """The answer to a message of the era of handshakes."""
    sent = {"Content-Type": "application/json", **headers}
    return await client.post("/mcp", content=dumps(message), headers=sent)


def request(method: str, message_id: Any = 1, **params: Any) -> dict[str, Any]:
    """A request of that era."""
    return {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params}


async def send_modern(
    client: AsyncClient, method: str, name: str | None = None, **params: Any
) -> Response:
    """The answer to a message of the newest revision."""
    headers = {**FOR_USER, "MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    if name is not None:
        headers, params = headers | {"Mcp-Name": name}, params | {"name": name}
    return await send(client, request(method, _meta=ENVELOPE, **params), headers)
