"""OpenTelemetry, switched on by its standard variables alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from app.main import create_app
from tests.conftest import SERVICE_HEADERS
from tests.support.service import running


@contextmanager
def collector() -> Iterator[tuple[str, dict[str, bytes]]]:
    """An OTLP endpoint that keeps what it is sent, by path."""
    received: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received[self.path] = received.get(self.path, b"") + body
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_spans_and_metrics_reach_the_collector_without_any_key(database_url: str) -> None:
    with collector() as (endpoint, received):
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "SHUTDOWN_DELAY": "0"}
        with running("serve", DATABASE_URL=database_url, LOG_LEVEL="ERROR", **settings) as (url, _):
            httpx.get(f"{url}/stats?user_id=u", headers=SERVICE_HEADERS).raise_for_status()
        assert b"/stats" in received["/v1/traces"]
        assert b"http.server.request.duration" in received["/v1/metrics"]
        assert SERVICE_HEADERS["X-Service-Key"].encode() not in b"".join(received.values())


@pytest.mark.parametrize("asked", [False, True])
def test_it_is_off_unless_asked_for(
    asked: bool, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if asked:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    config = create_app(request.getfixturevalue("settings"))._native_telemetry.config
    assert {config[name] for name in ("tracing", "metrics", "logs", "auto_configure")} == {asked}
