"""100 logins, registrations, refreshes and verifications a minute, for each address."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from tests.support.accounts import log_in


async def test_the_101st_login_of_an_address_within_a_minute_is_429(client: AsyncClient) -> None:
    statuses = [(await client.post("/api/v1/auth/login", json={})).status_code for _ in range(99)]
    last = await log_in(client)
    refused = await log_in(client)
    assert (set(statuses), last.status_code, refused.status_code) == ({400}, 401, 429)
    assert last.headers["RateLimit-Policy"] == '"logins";q=100;w=60'
    assert last.headers["RateLimit"].startswith('"logins";r=0;t=')
    assert refused.json() == {"detail": "Too many requests", "code": "too_many_requests"}
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


async def test_registrations_are_counted_apart(client: AsyncClient) -> None:
    for _ in range(100):
        await client.post("/api/v1/auth/login", json={})
    statuses = [
        (await client.post("/api/v1/auth/register", json={})).status_code for _ in range(101)
    ]
    assert statuses == [400] * 100 + [429]
    assert (await client.post("/api/v1/auth/refresh", json={})).status_code == 400


@pytest.mark.parametrize("path", ["refresh", "register", "verify"])
async def test_whatever_needs_no_credential_is_429_after_100_a_minute(
    client: AsyncClient, path: str
) -> None:
    method = "GET" if path == "verify" else "POST"
    url = f"/api/v1/auth/{path}"
    answers = [await client.request(method, url, json={}) for _ in range(101)]
    refused = answers.pop()
    assert {answer.status_code for answer in answers} == {400}
    assert (refused.status_code, refused.json()) == (
        429,
        {"detail": "Too many requests", "code": "too_many_requests"},
    )
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert (await log_in(client)).status_code == 401


async def ask_from(app: FastAPI, host: str) -> Response:
    async with AsyncClient(
        transport=ASGITransport(app, client=(host, 1)), base_url="http://test"
    ) as client:
        return await client.post("/api/v1/auth/refresh", json={})


@pytest.mark.parametrize(
    ("known", "same", "another"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8:0:1::1"),
        ("fe80::1%eth0", "fe80::2%eth1", "fe80:0:0:1::1"),
        ("", "", "unknown"),
    ],
)
async def test_all_of_an_ipv6_64_is_one_address(
    app: FastAPI, known: str, same: str, another: str
) -> None:
    for _ in range(100):
        await ask_from(app, known)
    statuses = [(await ask_from(app, host)).status_code for host in (same, another)]
    assert statuses == [429, 400]


@pytest.mark.parametrize("path", ["refresh", "login", "register"])
async def test_without_a_credential_a_body_over_8_kib_is_413(
    client: AsyncClient, path: str
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b" " * 1024

    url, headers = f"/api/v1/auth/{path}", {"Content-Type": "application/json"}
    for content in (b"[" * 8193, b" " * 1024 * 1024, parts()):
        answer = await client.post(url, content=content, headers=headers)
        assert answer.status_code == 413
        assert answer.json() == {"detail": "The request body is larger than 8192 bytes"}
    answer = await client.post(url, content=b"{}".ljust(8192), headers=headers)
    assert answer.status_code == 400
