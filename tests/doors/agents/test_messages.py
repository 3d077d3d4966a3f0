"""Whatever is sent to /mcp, by whomever: an answer that says what is wrong, and never a 5xx."""

from json import dumps
from typing import Any

import pytest
from httpx import AsyncClient

from tests.conftest import SERVICE_HEADERS
from tests.support.agents import ENVELOPE, FOR_USER, MODERN, request, send, send_modern

INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, PARSE_ERROR = -32600, -32601, -32602, -32700
PING = request("ping")
DEEP: Any = []
for _ in range(100):
    DEEP = [DEEP]


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2025-03-26", "1999-01-01"])
async def test_a_handshake_agrees_on_a_version(client: AsyncClient, version: str) -> None:
    info = {"name": "test", "version": "1"}
    hello = request("initialize", protocolVersion=version, capabilities={}, clientInfo=info)
    answer = await send(client, hello)
    result = answer.json()["result"]
    agreed = version if version >= "2025" else "2025-11-25"
    assert result["protocolVersion"] == agreed
    assert set(result["capabilities"]) == {"tools", "prompts", "resources"}
    assert "mcp-session-id" not in answer.headers
    headers = {**FOR_USER, "MCP-Protocol-Version": agreed}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await send(client, ready, headers)).status_code == 202
    listed = await send(client, request("tools/list"), headers)
    assert listed.json()["result"]["tools"]
    called = await send(client, request("tools/call", name="get-stats"), headers)
    assert called.json()["result"]["structuredContent"]["total_tasks"] == 0


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        ([], 400, INVALID_REQUEST),
        ([PING, PING], 400, INVALID_REQUEST),
        ("ping", 400, INVALID_REQUEST),
        (None, 400, INVALID_REQUEST),
        ({}, 400, INVALID_REQUEST),
        ({**PING, "jsonrpc": "1.0"}, 400, INVALID_REQUEST),
        ({**PING, "id": None}, 400, INVALID_REQUEST),
        ({**PING, "id": {}}, 400, INVALID_REQUEST),
        ({**PING, "id": 1.5}, 400, INVALID_REQUEST),
        ({**PING, "method": 7}, 400, INVALID_REQUEST),
        ({**PING, "method": "x" * 100_000}, 400, INVALID_REQUEST),
        ({**PING, "params": []}, 400, INVALID_REQUEST),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, 400, INVALID_REQUEST),
        ({"jsonrpc": "2.0", "params": {}}, 400, INVALID_REQUEST),
        (DEEP, 400, PARSE_ERROR),
        (request("ping", x=DEEP), 400, PARSE_ERROR),
        (request("tools/destroy"), 200, METHOD_NOT_FOUND),
        (request("\ud800"), 200, METHOD_NOT_FOUND),
        (request("subscriptions/listen"), 200, METHOD_NOT_FOUND),
        (request("tools/call"), 200, INVALID_PARAMS),
        (request("tools/call", name=7), 200, INVALID_PARAMS),
        (request("tools/call", name="get-stats", arguments=[]), 200, INVALID_PARAMS),
        (request("tools/call", name="get-stats", _meta=7), 200, INVALID_PARAMS),
        (request("tools/call", name="get-stats", _meta={"progressToken": {}}), 200, INVALID_PARAMS),
        (request("tools/list", cursor=7), 200, INVALID_PARAMS),
        (request("resources/read", uri="\ud800"), 200, INVALID_PARAMS),
        (request("prompts/get", name="\ud800"), 200, INVALID_PARAMS),
        (request("initialize", protocolVersion={}), 200, INVALID_PARAMS),
    ],
)
async def test_what_is_no_message_is_told_so(
    client: AsyncClient, message: Any, status: int, code: int
) -> None:
    answer = await send(client, message)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert len(answer.content) < 1000


@pytest.mark.parametrize("message_id", [0, -1, 2**64, 10**900, "", "é\x00", "\ud800", "x" * 9999])
async def test_an_id_comes_back_as_it_was_sent(client: AsyncClient, message_id: Any) -> None:
    answer = await send(client, request("ping", message_id))
    assert answer.json() == {"jsonrpc": "2.0", "id": message_id, "result": {}}
    nobody = {**FOR_USER, "X-User-ID": ""}
    refused = await send(client, request("tools/list", message_id), nobody)
    assert (refused.status_code, refused.json()["id"]) == (400, message_id)
    assert refused.json()["error"]["message"].startswith("X-User-ID: ")


@pytest.mark.parametrize(
    ("message", "message_id"),
    [
        ({**PING, "method": 7}, 1),
        ({**PING, "jsonrpc": "1.0", "id": "a"}, "a"),
        ({**PING, "id": True}, None),
        ({**PING, "id": {}}, None),
    ],
)
async def test_what_is_no_request_is_told_under_its_id_if_it_has_one(
    client: AsyncClient, message: Any, message_id: Any
) -> None:
    answer = await send(client, message)
    assert (answer.status_code, answer.json()["id"]) == (400, message_id)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"id": NaN}', b"[" * 50_000, b'{"a":' * 50_000, b"1" * 5000, b"\x00"],
)
async def test_what_is_no_json_is_told_so(client: AsyncClient, body: bytes) -> None:
    headers = {**FOR_USER, "Content-Type": "application/json"}
    answer = await client.post("/mcp", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {PARSE_ERROR, INVALID_REQUEST}
    assert answer.json()["id"] is None


async def test_a_body_over_a_mebibyte_or_of_another_type_is_refused(client: AsyncClient) -> None:
    large = await send(client, request("ping", padding="x" * 1024 * 1024))
    assert (large.status_code, large.json()["error"]["code"]) == (413, INVALID_REQUEST)
    headers = {**FOR_USER, "Content-Type": "text/plain"}
    plain = await client.post("/mcp", content=dumps(PING), headers=headers)
    assert (plain.status_code, plain.json()["error"]["code"]) == (400, INVALID_REQUEST)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"MCP-Protocol-Version": "2027-01-01", "Mcp-Method": "ping"}, -32020),
        ({"MCP-Protocol-Version": MODERN}, -32020),
        ({"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/list"}, -32020),
    ],
)
async def test_headers_and_message_must_agree(
    client: AsyncClient, headers: dict[str, str], code: int
) -> None:
    answer = await send(client, request("ping", _meta=ENVELOPE), {**FOR_USER, **headers})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


async def test_a_version_that_is_not_spoken_is_told_which_are(client: AsyncClient) -> None:
    unknown = {"io.modelcontextprotocol/protocolVersion": "2027-01-01"}
    headers = {**FOR_USER, "MCP-Protocol-Version": "2027-01-01", "Mcp-Method": "tools/list"}
    message = request("tools/list", _meta={**ENVELOPE, **unknown})
    error = (await send(client, message, headers)).json()["error"]
    assert (error["code"], error["data"]["supported"]) == (-32022, [MODERN])
    notice = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
    assert (await send(client, notice, headers)).status_code == 400
    spoken = {**headers, "MCP-Protocol-Version": MODERN}
    assert (await send(client, notice, spoken)).status_code == 202


async def test_errors_of_the_newest_revision_have_statuses(client: AsyncClient) -> None:
    unknown = await send_modern(client, "tools/destroy")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, METHOD_NOT_FOUND)
    incomplete = await send(client, request("ping"), {**FOR_USER, "MCP-Protocol-Version": MODERN})
    assert (incomplete.status_code, incomplete.json()["error"]["code"]) == (400, INVALID_PARAMS)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Service-Key": "sk_dev_wrong"},
        {"Authorization": "Bearer sk_dev_wrong"},
        {"Authorization": f"Basic {SERVICE_HEADERS['X-Service-Key']}"},
    ],
)
async def test_without_a_key_it_is_401_before_anything_else(
    client: AsyncClient, headers: dict[str, str]
) -> None:
    answer = await send(client, DEEP, headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["error"]["message"] == "Invalid or expired service key"


async def test_the_key_may_be_the_bearer_token(client: AsyncClient) -> None:
    bearer = {"Authorization": f"Bearer {SERVICE_HEADERS['X-Service-Key']}"}
    assert (await send(client, PING, bearer)).json()["result"] == {}


async def test_a_foreign_origin_is_403_and_one_of_ours_may_call(client: AsyncClient) -> None:
    foreign = await send(client, PING, {**FOR_USER, "Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["error"]["data"]["code"]) == (403, "forbidden")
    ours = {"Origin": "http://localhost:3000"}
    answer = await send(client, PING, {**FOR_USER, **ours})
    assert answer.headers["access-control-allow-origin"] == ours["Origin"]
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, mcp-method, mcp-name, "
        "mcp-protocol-version, x-user-id",
    }
    assert (await client.options("/mcp", headers={**ours, **asked})).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_there_is_no_stream_and_no_session(client: AsyncClient, method: str) -> None:
    answer = await client.request(method, "/mcp", headers=FOR_USER)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("user_id", [b"", b"\xff", b"x" * 256, b"a\x7f"])
async def test_a_header_that_names_nobody_is_a_refusal(client: AsyncClient, user_id: bytes) -> None:
    headers: Any = {**SERVICE_HEADERS, "X-User-ID": user_id}
    answer = await send(client, request("tools/call", name="get-stats"), headers)
    assert answer.status_code in {200, 400}
    assert answer.json().get("result", {"isError": True})["isError"] is (user_id != b"a\x7f")
