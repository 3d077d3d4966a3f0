"""100 logins and 100 registrations a minute, for each address."""

from httpx import AsyncClient

from tests.accounts import log_in


async def test_the_101st_login_of_an_address_within_a_minute_is_429(client: AsyncClient) -> None:
    statuses = [(await client.post("/api/v1/auth/login", json={})).status_code for _ in range(99)]
    last = await log_in(client)
    refused = await log_in(client)
    assert (set(statuses), last.status_code, refused.status_code) == ({400}, 401, 429)
    assert last.headers["RateLimit-Policy"] == '"logins";q=100;w=60'
    assert last.headers["RateLimit"].startswith('"logins";r=0;t=')
    assert refused.json() == {"detail": "Too many requests"}
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


async def test_registrations_are_counted_apart(client: AsyncClient) -> None:
    for _ in range(100):
        await client.post("/api/v1/auth/login", json={})
    statuses = [
        (await client.post("/api/v1/auth/register", json={})).status_code for _ in range(101)
    ]
    assert statuses == [400] * 100 + [429]
    assert (await client.post("/api/v1/auth/refresh", json={})).status_code == 400
