"""`python -m app serve`: gunicorn with two workers, as it runs in production."""

import asyncio
import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from secrets import token_hex
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.support.databases import clone_statement, named, run_statements
from tests.support.service import ROOT, running
from tests.system.test_cli import result_of

ADMIN_KEY = "b7e1c0ffee5f4d6a9c2e"
ADMIN_HEADERS = {"X-Admin-Key": ADMIN_KEY}
COMMAND = {"action": "get-stats", "user_id": "user_123"}


@contextmanager
def serving(database_url: str, **settings: str) -> Iterator[tuple[str, Any]]:
    production = {
        "ENVIRONMENT": "production",
        "ADMIN_API_KEY": ADMIN_KEY,
        "API_KEY_SECRET": "d41d8cd98f00b204e9800998ecf8427e",
        "WEB_CONCURRENCY": "2",
        "DATABASE_URL": database_url,
    }
    with running("serve", **{**production, **settings}) as (url, process):
        yield url, process


@pytest.fixture(scope="module")
def service(server_url: str, template: str) -> Iterator[tuple[str, Any, str]]:
    """A running service, its process and its database."""
    name = f"served_{uuid4().hex}"
    database_url = named(server_url, name)
    run_statements(server_url, clone_statement(name, template))
    with serving(database_url, DOCS_ENABLED="") as (url, process):
        yield url, process, database_url
    run_statements(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def create_key(url: str) -> dict[str, str]:
    body = {"key_name": "cat-house", "environment": "prod"}
    answer = httpx.post(f"{url}/admin/service-keys", json=body, headers=ADMIN_HEADERS)
    assert answer.status_code == 201
    created: dict[str, str] = answer.json()
    return created


def status_with(url: str, key: str) -> int:
    return httpx.post(f"{url}/execute", json=COMMAND, headers={"X-Service-Key": key}).status_code


async def hold_a_connection_to_each_worker(
    stack: AsyncExitStack, url: str, process: Any
) -> list[httpx.AsyncClient]:
    """Clients whose kept-alive connections end at different workers."""
    client_of: dict[int, httpx.AsyncClient] = {}
    held: dict[int, httpx.AsyncClient] = {}
    for _ in range(50):
        clients = [httpx.AsyncClient(base_url=url) for _ in range(10)]
        for client in clients:
            await stack.enter_async_context(client)
        answers = await asyncio.gather(*(client.get("/health/live") for client in clients))
        for answer, client in zip(answers, clients, strict=True):
            stream = answer.extensions["network_stream"]
            client_of[stream.get_extra_info("client_addr")[1]] = client
        for worker in psutil.Process(process.pid).children():
            for connection in worker.net_connections("tcp"):
                if connection.raddr and connection.raddr.port in client_of:
                    held[worker.pid] = client_of[connection.raddr.port]
        if len(held) == 2:
            break
        await asyncio.sleep(0.1)  # the second worker is still starting
    return list(held.values())


def test_serves_in_production_without_docs_and_without_a_server_header(
    service: tuple[str, Any, str],
) -> None:
    url, _, database_url = service
    answer = httpx.get(f"{url}/health/live")
    assert answer.status_code == 200
    assert "server" not in answer.headers
    answer = httpx.get(f"{url}/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "healthy")
    arguments = ("keys", "create", "by-hand")
    created = json.loads(result_of(*arguments, folder=ROOT, DATABASE_URL=database_url))
    assert status_with(url, created["service_key"]) == 200
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert httpx.get(url + path).status_code == 404
    index = httpx.get(url).json()
    assert (index["docs"], index["openapi"]) == (None, None)


def test_sigterm_ends_it_and_its_workers_with_exit_code_0(database_url: str) -> None:
    with serving(database_url, DOCS_ENABLED="true") as (url, process):
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert httpx.get(url + path).status_code == 200
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert psutil.wait_procs(workers, 1)[1] == []


def test_starts_without_its_database_and_serves_when_it_comes(
    server_url: str, template: str
) -> None:
    name = f"late_{uuid4().hex}"
    with serving(named(server_url, name)) as (url, _):
        assert httpx.get(f"{url}/health").status_code == 503
        answer = httpx.post(
            f"{url}/execute", json=COMMAND, headers={"X-Service-Key": "sk_prod_" + "0" * 64}
        )
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        run_statements(server_url, clone_statement(name, template))
        assert status_with(url, create_key(url)["service_key"]) == 200
        time.sleep(1)
        assert httpx.get(f"{url}/health").status_code == 200
    run_statements(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    ("balancers", "logins_left"),
    [("127.0.0.0/8", ["99", "99", "98"]), ("10.20.0.0/16", ["99", "98", "97"])],
)
def test_only_the_balancer_is_believed_about_a_clients_address(
    database_url: str, balancers: str, logins_left: list[str]
) -> None:
    # What stands before the balancer's word is the client's own.
    said = ["203.0.113.7", "203.0.113.8", "198.51.100.1, 203.0.113.8"]
    settings = {
        "FORWARDED_ALLOW_IPS": balancers,
        "WEB_CONCURRENCY": "1",
        "JWT_SECRET": token_hex(16),
    }
    with serving(database_url, SHUTDOWN_DELAY="0", **settings) as (url, _):
        answers = [
            httpx.post(f"{url}/api/v1/auth/login", json={}, headers={"X-Forwarded-For": address})
            for address in said
        ]
    assert (
        re.findall(r"r=(\d+)", str([each.headers["RateLimit"] for each in answers])) == logins_left
    )


@pytest.mark.alone
async def test_revoked_key_is_refused_by_both_workers_within_a_second(
    service: tuple[str, Any, str],
) -> None:
    url, process, _ = service
    key = create_key(url)
    headers = {"X-Service-Key": key["service_key"]}
    async with AsyncExitStack() as stack:
        clients = await hold_a_connection_to_each_worker(stack, url, process)
        assert len(clients) == 2
        answers = [await client.get("/actions", headers=headers) for client in clients]
        assert [answer.status_code for answer in answers] == [200, 200]
        await clients[0].delete(f"/admin/service-keys/{key['id']}", headers=ADMIN_HEADERS)
        await asyncio.sleep(1)
        answers = [await client.get("/actions", headers=headers) for client in clients]
        assert [answer.status_code for answer in answers] == [401, 401]
