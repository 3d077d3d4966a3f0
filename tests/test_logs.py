"""What operators read: the standard output of a process, line by line."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from app.services.keys import DEVELOPMENT_KEY, digest
from tests.support.databases import clone_statement, named, run_statements
from tests.support.service import environment

KEY = "sk_prod_" + "4e" * 32
WRONG_KEY = "sk_prod_" + "5f" * 32
ADMIN_KEY = "b7e1c0ffee5f4d6a"
API_KEY = "AIzaSyD-1234567890abcdefghijklmnopqrstu"
BODY_TEXT = "Whiskers-wants-salmon"
SECRETS = (KEY, WRONG_KEY, ADMIN_KEY, BODY_TEXT, digest(KEY), "d41d8cd98f00b204e98009")
PRODUCTION = {
    "ENVIRONMENT": "production",
    "LOG_LEVEL": "INFO",
    "ADMIN_API_KEY": ADMIN_KEY,
    "API_KEY_SECRET": "d41d8cd98f00b204e98009",
}

SCRIPT = """
import asyncio, json, logging, sys
from httpx import ASGITransport, AsyncClient
from app.config import load_settings
from app.main import create_app

async def fail():
    raise RuntimeError("a fault nobody expected")

async def main():
    app = create_app(load_settings())
    logging.getLogger("httpx").disabled = True  # the client is no part of the service
    app.add_api_route("/broken", fail)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://test") as client,
    ):
        for request in json.load(sys.stdin):
            await client.request(**request)

asyncio.run(main())
"""


def command(key: str, request_id: str, **changed: Any) -> dict[str, Any]:
    body = {"action": "create-task", "user_id": "user_123", "payload": {"title": BODY_TEXT}}
    return {
        "method": "POST",
        "url": "/execute",
        "json": {**body, **changed},
        "headers": {
            "X-Service-Key": key,
            "X-Request-ID": request_id,
            "X-Trace-ID": "trace-1",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        },
    }


QUEUED = [
    {"id": "one", "action": "create-task", "payload": {"title": BODY_TEXT}},
    {"id": "two", "action": "create-task", "payload": {}},
]
REQUESTS: list[dict[str, Any]] = [
    command(KEY, "created"),
    command(
        KEY,
        "batched",
        action="batch",
        payload={"mode": "independent", "commands": QUEUED},
        options={"installation_id": "whiskers-phone"},
    ),
    command(WRONG_KEY, "refused"),
    command(KEY, "unknown-action", action="fly-to-moon"),
    command(KEY, "wrong-payload", payload={"title": BODY_TEXT, "status": BODY_TEXT}),
    command(KEY, "wrong-envelope", user_id=[BODY_TEXT]),
    {**command(KEY, "broken-json"), "json": None, "content": f'{{"action": "{BODY_TEXT}'},
    {
        "method": "POST",
        "url": "/admin/service-keys",
        "json": {"key_name": "by-admin", "environment": "prod"},
        "headers": {"X-Admin-Key": ADMIN_KEY, "X-Request-ID": "minted"},
    },
    {
        "method": "GET",
        "url": f"/stats?user_id={BODY_TEXT}",
        "headers": {"X-Service-Key": KEY, "X-Request-ID": "stats"},
    },
    {"method": "GET", "url": "/broken", "headers": {"X-Request-ID": "broken"}},
    {"method": "GET", "url": "/nowhere", "headers": {"X-Request-ID": "nowhere"}},
]


def lines_of(requests: list[dict[str, Any]], **settings: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        finished = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            input=json.dumps(requests),
            env=environment(**settings),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout.splitlines()


@pytest.fixture(scope="module")
def logged_database(server_url: str, template: str) -> Iterator[str]:
    name = f"logged_{uuid4().hex}"
    url = named(server_url, name)
    run_statements(server_url, clone_statement(name, template))
    run_statements(
        url, f"INSERT INTO service_api_keys (key_name, api_key) VALUES ('cat-house', '{KEY}')"
    )
    yield url
    run_statements(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def production_lines(logged_database: str) -> list[str]:
    return lines_of(REQUESTS, DATABASE_URL=logged_database, **PRODUCTION)


@pytest.fixture
def entries(production_lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in production_lines]


def requests_in(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {entry["request_id"]: entry for entry in entries if entry["event"] == "request"}


def test_every_request_is_one_line_with_its_status(entries: list[dict[str, Any]]) -> None:
    requests = [entry for entry in entries if entry["event"] == "request"]
    assert [(entry["request_id"], entry["status"]) for entry in requests] == [
        ("created", 200),
        ("batched", 200),
        ("refused", 401),
        ("unknown-action", 404),
        ("wrong-payload", 400),
        ("wrong-envelope", 422),
        ("broken-json", 422),
        ("minted", 201),
        ("stats", 200),
        ("broken", 500),
        ("nowhere", 404),
    ]


def test_line_of_a_command_tells_who_did_what_and_how_long_it_took(
    entries: list[dict[str, Any]],
) -> None:
    entry = requests_in(entries)["created"]
    timestamp = datetime.fromisoformat(entry.pop("timestamp"))
    assert abs((datetime.now(UTC) - timestamp).total_seconds()) < 120
    assert 0 < entry.pop("duration_ms") < 10_000
    assert entry == {
        "event": "request",
        "level": "info",
        "request_id": "created",
        "trace_id": "trace-1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "method": "POST",
        "path": "/execute",
        "action": "create-task",
        "user_id": "user_123",
        "key_name": "cat-house",
        "status": 200,
    }


def test_line_of_a_batch_tells_what_became_of_its_commands_and_who_sent_it(
    entries: list[dict[str, Any]],
) -> None:
    entry = requests_in(entries)["batched"]
    assert (entry["action"], entry["installation_id"]) == ("batch", "whiskers-phone")
    assert entry["batch"] == {"mode": "independent", "commands": 2, "applied": 1, "failed": 1}


def test_failed_commands_tell_whose_key_it_was(entries: list[dict[str, Any]]) -> None:
    requests = requests_in(entries)
    assert "key_name" not in requests["refused"]
    for request_id in ("unknown-action", "wrong-payload", "wrong-envelope", "broken-json"):
        assert requests[request_id]["key_name"] == "cat-house"
    assert requests["wrong-payload"]["action"] == "create-task"


def test_start_is_logged_with_the_configuration(entries: list[dict[str, Any]]) -> None:
    assert entries[0]["event"] == "configuration_loaded"
    assert entries[0]["environment"] == "production"
    assert entries[0]["doors"] == ["commands", "admin"]


def test_no_line_contains_a_key_or_text_of_a_body(production_lines: list[str]) -> None:
    told = [line for line in production_lines for secret in SECRETS if secret in line]
    assert told == []


def test_unexpected_exception_is_one_line_with_its_traceback(
    entries: list[dict[str, Any]],
) -> None:
    [fault] = [entry for entry in entries if "a fault nobody expected" in json.dumps(entry)]
    assert fault["event"] == "unexpected_error"
    assert (fault["level"], fault["request_id"]) == ("error", "broken")
    assert fault["exception"].startswith("Traceback (most recent call last)")
    assert fault["exception"].endswith("RuntimeError: a fault nobody expected")


def test_level_decides_what_is_logged(logged_database: str) -> None:
    settings = {**PRODUCTION, "DATABASE_URL": logged_database, "LOG_LEVEL": "ERROR"}
    [line] = lines_of(REQUESTS, **settings)
    assert json.loads(line)["event"] == "unexpected_error"


def test_development_prints_lines_for_people(logged_database: str) -> None:
    settings = {"DATABASE_URL": logged_database, "ENVIRONMENT": "development", "LOG_LEVEL": "INFO"}
    lines = lines_of([command(DEVELOPMENT_KEY, "created"), REQUESTS[-2]], **settings)
    [line] = [line for line in lines if "created" in line]
    assert not line.startswith("{")
    for part in ("info", "request", "method=POST", "path=/execute", "action=create-task"):
        assert part in line
    assert "\x1b[" not in "".join(lines)
    text = "\n".join(lines)
    assert text.count("RuntimeError: a fault nobody expected") == 1
    assert DEVELOPMENT_KEY not in text
    assert BODY_TEXT not in text


def test_no_line_contains_a_users_api_key_or_credential(logged_database: str) -> None:
    secrets = {
        "SESSION_HASH_SECRET": "1f8f2d3a9c7b4e6a8d5c",
        "SERVICE_AUTH_TOKEN": "7a6b5c4d3e2f1a0b9c8d",
        "ENCRYPTION_KEY": Fernet.generate_key().decode(),
    }
    headers = {"X-Service-Auth": secrets["SERVICE_AUTH_TOKEN"], "X-User-ID": "ann"}
    session = {"Authorization": "Bearer s3cr3t-t0ken.signature"}
    new, short = {"api_key": API_KEY}, {"api_key": API_KEY[:15]}
    requests: list[dict[str, Any]] = [
        {"method": "POST", "url": "/api/user-api-keys", "headers": headers, "json": new},
        {"method": "POST", "url": "/api/user-api-keys", "headers": headers, "json": short},
        {"method": "GET", "url": "/api/user-api-keys/current", "headers": headers},
        {"method": "POST", "url": "/api/user-api-keys/test", "headers": headers},
        {"method": "GET", "url": "/api/tasks", "headers": session},
    ]
    settings = {"DATABASE_URL": logged_database, "GEMINI_BASE_URL": "http://localhost:1"}
    lines = lines_of(requests, **{**PRODUCTION, **secrets, **settings, "LOG_LEVEL": "DEBUG"})
    entries = [json.loads(line) for line in lines]
    told = [entry for entry in entries if entry["event"] == "request"]
    assert [entry["status"] for entry in told] == [201, 422, 200, 200, 401]
    assert told[0]["user_id"] == "ann"
    for secret in (API_KEY, API_KEY[:15], "s3cr3t-t0ken", *secrets.values()):
        assert secret not in "\n".join(lines)
