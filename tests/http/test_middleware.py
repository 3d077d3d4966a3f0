import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from httpx import AsyncClient, Request, Response

from app.config import Settings
from app.services import Connection
from tests.conftest import ADMIN_HEADERS, MISSING_ID, SERVICE_HEADERS
from tests.support.application import furnished, lent, renewed
from tests.support.people import acting_for

ORIGIN = "http://localhost:3000"
COMMAND_METHODS = {"GET", "POST", "PATCH", "DELETE", "OPTIONS"}
COMMAND_HEADERS = {"X-Service-Key", "Content-Type"}
SECRET_FAULT = "the secret sentence of an exception"

PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
REQUESTS = {
    200: Request("GET", "http://test/health"),
    201: Request("OPTIONS", "http://test/execute", headers=PREFLIGHT),
    400: Request("OPTIONS", "http://test/execute", headers={**PREFLIGHT, "Origin": "http://evil"}),
    401: Request("POST", "http://test/execute"),
    404: Request("GET", "http://test/nowhere"),
    405: Request("DELETE", "http://test/execute"),
    422: Request("POST", "http://test/execute", json={}, headers=SERVICE_HEADERS),
    500: Request("GET", "http://test/broken"),
}


@pytest.fixture(scope="module")
def failing_app(shared_settings: Settings) -> Iterator[FastAPI]:
    """An application with a path whose handler fails."""

    async def fail() -> None:
        raise RuntimeError(SECRET_FAULT)

    with lent(shared_settings) as app:
        app.add_api_route("/broken", fail)
        yield app


@pytest.fixture
def app(failing_app: FastAPI, settings: Settings, db: Connection) -> FastAPI:
    """That application, on the connection that is rolled back."""
    return furnished(renewed(failing_app, settings), settings, db)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the middleware logs, as dictionaries."""
    capture = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(io.StringIO()),
        processors=[capture],
        wrapper_class=structlog.make_filtering_bound_logger("DEBUG"),
    )
    for module in ("app.http.request_log", "app.logs"):
        monkeypatch.setattr(f"{module}.logger", logger)
    return capture.entries


async def send(client: AsyncClient, request: Request, **headers: str) -> Response:
    content = request.read()
    return await client.request(
        request.method, request.url, content=content, headers={**request.headers, **headers}
    )


async def preflight(client: AsyncClient, path: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.options(path, headers={**PREFLIGHT, **named})


def names(header: str) -> set[str]:
    return {name.strip() for name in header.split(",")}


@pytest.mark.parametrize("status", REQUESTS)
async def test_every_answer_carries_ids_and_may_be_neither_sniffed_nor_framed(
    client: AsyncClient, status: int
) -> None:
    ids = {"X-Request-ID": "cat-1.2_3", "X-Trace-ID": "trace-1"}
    answer = await send(client, REQUESTS[status], **ids)
    assert answer.status_code == (200 if status == 201 else status)
    for name, value in ids.items():
        assert answer.headers.get_list(name) == [value]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("status", [404, 405, 422, 500])
async def test_every_error_is_json(client: AsyncClient, status: int) -> None:
    answer = await send(client, REQUESTS[status])
    assert answer.headers["content-type"] == "application/json"
    assert "detail" in answer.json()


@pytest.mark.parametrize("request_id", ["a", "A" * 128, "a.b_c-D9"])
async def test_sane_request_id_is_kept(client: AsyncClient, request_id: str) -> None:
    answer = await client.get("/health/live", headers={"X-Request-ID": request_id})
    assert answer.headers["x-request-id"] == request_id


@pytest.mark.parametrize(
    "request_id", [b"", b"a" * 129, b"a b", b"a\n", b"a;b", b"<script>", "kätzchen".encode()]
)
async def test_other_request_id_is_replaced(client: AsyncClient, request_id: bytes) -> None:
    headers = [(b"X-Request-ID", request_id), (b"X-Trace-ID", request_id)]
    answer = await client.get("/health/live", headers=headers)
    assert re.fullmatch("[A-Za-z0-9._-]{1,128}", answer.headers["x-request-id"])
    assert answer.headers["x-request-id"].encode() != request_id
    assert "x-trace-id" not in answer.headers


async def test_request_ids_are_never_the_same(client: AsyncClient) -> None:
    answers = [await client.get("/health/live") for _ in range(20)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 20


@pytest.mark.parametrize("path", ["/execute", "/health", "/stats", "/admin/service-keys"])
async def test_preflight_allows_exactly_what_the_command_api_uses(
    client: AsyncClient, path: str
) -> None:
    answer = await preflight(
        client, path, Access_Control_Request_Headers="X-Service-Key, Content-Type"
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert names(answer.headers["access-control-allow-methods"]) == COMMAND_METHODS
    assert names(answer.headers["access-control-allow-headers"]) == COMMAND_HEADERS


async def test_preflight_below_api_allows_authorization_and_put_too(client: AsyncClient) -> None:
    answer = await preflight(
        client,
        "/api/tasks",
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="authorization",
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert names(answer.headers["access-control-allow-methods"]) == {*COMMAND_METHODS, "PUT"}
    headers = names(answer.headers["access-control-allow-headers"])
    assert headers == {*COMMAND_HEADERS, "Authorization"}


@pytest.mark.parametrize(
    "asked",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{ORIGIN}.evil.example"},
        {"Access_Control_Request_Method": "PUT"},
        {"Access_Control_Request_Headers": "Authorization"},
        {"Access_Control_Request_Headers": "X-Service-Key, X-Admin-Key"},
    ],
)
async def test_refused_preflight_is_400_in_json(client: AsyncClient, asked: dict[str, str]) -> None:
    answer = await preflight(client, "/execute", **asked)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Disallowed CORS")
    if "Origin" in asked:
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("status", [200, 401, 404, 405, 422, 500])
async def test_own_origin_may_read_every_answer(client: AsyncClient, status: int) -> None:
    answer = await send(client, REQUESTS[status], Origin=ORIGIN)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("status", [200, 401, 404, 500])
async def test_foreign_origin_may_read_no_answer(client: AsyncClient, status: int) -> None:
    answer = await send(client, REQUESTS[status], Origin="http://evil.example")
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


async def test_request_without_origin_gets_no_cors_headers(client: AsyncClient) -> None:
    answer = await client.get("/health/live")
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_no_cache_keeps_what_a_credential_opens(client: AsyncClient) -> None:
    credentials = {**SERVICE_HEADERS, **ADMIN_HEADERS, **acting_for("user_123")}
    paths = ("/stats?user_id=user_123", "/admin/service-keys", "/metrics", "/api/tasks")
    for path in (*paths, f"/api/tasks/{MISSING_ID}", "/api/user-api-keys/current"):
        for headers in (credentials, {}):
            answer = await client.get(path, headers=headers)
            assert answer.headers["cache-control"] == "no-store", path


@pytest.mark.parametrize("path", ["/execute", "/admin/rotate-key", "/api/tasks"])
async def test_a_client_that_leaves_within_its_body_is_no_fault(
    app: FastAPI, logged: list[Any], path: str
) -> None:
    messages = iter(
        [
            {"type": "http.request", "body": b"{", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    credentials = {**SERVICE_HEADERS, **ADMIN_HEADERS, **acting_for("user_123")}
    headers = [(name.lower().encode(), value.encode()) for name, value in credentials.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": headers,
    }

    async def receive() -> Any:
        return next(messages)

    async def send(_: Any) -> None: ...

    await app({**scope, "headers": headers}, receive, send)
    assert [(entry["event"], entry["status"]) for entry in logged] == [("request", 499)]


async def test_a_body_that_nobody_reads_cuts_no_long_answer(
    client: AsyncClient, db: Connection
) -> None:
    await db.execute("""
        INSERT INTO tasks (user_id, title) SELECT 'user_123', n FROM generate_series(1, 600) AS n
    """)
    headers = {**acting_for("user_123"), "Content-Length": str(2 * 1024 * 1024)}
    assert len((await client.get("/api/tasks", headers=headers)).json()) == 600


async def test_head_is_get_without_the_body(client: AsyncClient, logged: list[Any]) -> None:
    for path in ("/", "/health", "/docs", "/actions"):
        got = await client.get(path, headers=SERVICE_HEADERS)
        headed = await client.head(path, headers=SERVICE_HEADERS)
        assert (headed.status_code, headed.content) == (200, b"")
        assert headed.headers["content-length"] == got.headers["content-length"]
    assert [entry["method"] for entry in logged] == ["GET", "HEAD"] * 4


async def test_405_names_the_methods_of_the_path(client: AsyncClient) -> None:
    for path, methods in (
        ("/execute", {"POST"}),
        ("/health", {"GET", "HEAD"}),
        ("/admin/service-keys", {"GET", "HEAD", "POST"}),
    ):
        answer = await client.put(path)
        assert (answer.status_code, names(answer.headers["allow"])) == (405, methods)


async def test_unexpected_exception_is_a_plain_500(client: AsyncClient) -> None:
    answer = await client.get("/broken")
    assert answer.status_code == 500
    body = answer.json()
    assert body.pop("timestamp").endswith("Z")
    assert body == {
        "detail": "Internal server error",
        "code": "internal_error",
        "success": False,
        "data": None,
        "error": "Internal server error",
    }


async def test_unexpected_exception_is_logged_once_under_the_request_id(
    client: AsyncClient, logged: list[Any]
) -> None:
    await client.get("/broken", headers={"X-Request-ID": "cat-1"})
    fault, request = logged
    assert (fault["event"], fault["log_level"], fault["exc_info"]) == (
        *("unexpected_error", "error"),
        True,
    )
    assert (request["event"], request["status"]) == ("request", 500)
    assert fault["request_id"] == request["request_id"] == "cat-1"
