"""Whoever guesses the key of administrators waits."""

import asyncio
from collections import Counter

from httpx import AsyncClient

from tests.conftest import ADMIN_HEADERS
from tests.support.application import talking_to
from tests.support.redis_server import RedisServer


async def status(client: AsyncClient, key: str, path: str = "/admin/service-keys") -> int:
    return (await client.get(path, headers={"X-Admin-Key": key})).status_code


async def test_after_five_wrong_keys_the_address_waits_whichever_key_it_has(
    client: AsyncClient,
) -> None:
    paths = ("/admin/service-keys", "/metrics", "/admin/audit", "/admin/status", "/metrics")
    for number, path in enumerate(paths):
        assert await status(client, f"guess {number}", path) == 401
    assert await status(client, "guess 6") == 429
    refused = await client.get("/admin/audit", headers=ADMIN_HEADERS)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_a_missing_key_and_a_right_one_are_no_guess(client: AsyncClient) -> None:
    for _ in range(6):
        assert (await client.get("/admin/service-keys")).status_code == 401
        assert await status(client, ADMIN_HEADERS["X-Admin-Key"]) == 200


async def test_keys_guessed_at_the_same_time_are_judged_one_after_the_other(
    shared_url: str, redis_server: RedisServer
) -> None:
    guesses = [*(f"guess {number}" for number in range(40)), ADMIN_HEADERS["X-Admin-Key"]]
    async with talking_to(shared_url, redis_url=redis_server.url) as client:
        statuses = await asyncio.gather(*(status(client, guess) for guess in guesses))
    assert Counter(statuses) == {401: 5, 429: 36}
