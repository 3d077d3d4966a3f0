"""Rate limits are exact, and Redis being away costs nobody more than a moment."""

import asyncio
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from httpx import AsyncClient, Response
from structlog.testing import LogCapture

from app.config import Settings
from app.http.rate_limiter import RateLimiter
from app.http.rate_limits import Limit, standard_headers
from tests.conftest import SERVICE_HEADERS, Figure
from tests.doors.admin.test_keys import create
from tests.support.application import talking_to
from tests.support.redis_server import RedisServer
from tests.support.service import ROOT, environment

UNKNOWN = {"action": "fly", "user_id": "user_123"}
"""A command that costs no database: 404 where the limit lets it pass."""


@asynccontextmanager
async def limited(database_url: str, **settings: Any) -> AsyncIterator[AsyncClient]:
    """A client of an application that lets a service key send 100 commands a minute."""
    async with talking_to(
        database_url, **{"execute_rate_limit": "100/minute", **settings}
    ) as client:
        yield client


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    """What the limiter logs."""
    capture = LogCapture()
    logger = structlog.wrap_logger(
        None, [capture], structlog.make_filtering_bound_logger("WARNING")
    )
    monkeypatch.setattr("app.http.rate_limiter.logger", logger)
    return capture


async def send(client: AsyncClient) -> Response:
    return await client.post("/execute", json=UNKNOWN, headers=SERVICE_HEADERS)


async def send_in_turn(client: AsyncClient, number: int) -> Counter[int]:
    """The statuses of commands sent one after another, so that none waits long for Redis."""
    return Counter([(await send(client)).status_code for _ in range(number)])


async def send_many(client: AsyncClient, number: int) -> Counter[int]:
    answers = await asyncio.gather(*(send(client) for _ in range(number)))
    return Counter(answer.status_code for answer in answers)


async def timed(client: AsyncClient) -> tuple[int, float]:
    started = time.perf_counter()
    answer = await send(client)
    return answer.status_code, time.perf_counter() - started


async def until_counted(client: AsyncClient) -> None:
    for _ in range(60):
        if "ratelimit" in (await send(client)).headers:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the limit did not come back")


async def test_nothing_is_limited_unless_asked_for(client: AsyncClient) -> None:
    assert await send_many(client, 150) == {404: 150}
    assert "ratelimit" not in (await send(client)).headers


@pytest.mark.alone
async def test_exactly_100_of_200_parallel_commands_pass_in_memory(database_url: str) -> None:
    async with limited(database_url) as client:
        assert await send_many(client, 200) == {404: 100, 429: 100}


@pytest.mark.alone
async def test_exactly_100_of_200_parallel_commands_pass_with_redis(
    database_url: str, redis_server: RedisServer, figure: Figure
) -> None:
    async with limited(database_url, redis_url=redis_server.url) as client:
        started = time.perf_counter()
        assert await send_many(client, 200) == {404: 100, 429: 100}
        figure(f"200 commands in {time.perf_counter() - started:.2f} s")


@pytest.mark.alone
async def test_two_workers_count_together_in_redis(
    database_url: str, redis_server: RedisServer
) -> None:
    async with (
        limited(database_url, redis_url=redis_server.url) as one,
        limited(database_url, redis_url=redis_server.url) as another,
    ):
        counts = await asyncio.gather(send_many(one, 80), send_many(another, 80))
    assert sum(counts, Counter()) == {404: 100, 429: 60}


async def test_every_answer_tells_how_the_key_stands(database_url: str) -> None:
    async with limited(database_url, execute_rate_limit="2/minute") as client:
        answers = [await send(client) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"commands";q=2;w=60'}
    standings = [
        re.fullmatch(r'"commands";r=(\d);t=(\d+)', answer.headers["ratelimit"])
        for answer in answers
    ]
    assert [int(standing[1]) for standing in standings if standing] == [1, 0, 0]
    assert all(59 <= int(standing[2]) <= 60 for standing in standings if standing)
    assert answers[2].json() == {"detail": "Too many requests", "code": "too_many_requests"}
    assert 59 <= int(answers[2].headers["retry-after"]) <= 60
    assert "retry-after" not in answers[1].headers


@pytest.mark.parametrize("store", ["memory", "redis"])
async def test_what_lies_behind_the_window_counts_no_more(
    database_url: str, store: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("redis_server").url if store == "redis" else None
    async with limited(database_url, redis_url=url, execute_rate_limit="2/second") as client:
        assert await send_many(client, 3) == {404: 2, 429: 1}
        await asyncio.sleep(1.05)
        assert await send_many(client, 3) == {404: 2, 429: 1}


async def test_unauthenticated_commands_are_not_counted(database_url: str) -> None:
    async with limited(database_url, execute_rate_limit="1/minute") as client:
        for _ in range(3):
            assert (await client.post("/execute", json=UNKNOWN)).status_code == 401
        assert (await send(client)).status_code == 404


async def test_killed_redis_lets_everybody_pass_and_counts_again_when_it_is_back(
    database_url: str, redis_server: RedisServer, figure: Figure, log: LogCapture
) -> None:
    async with limited(database_url, redis_url=redis_server.url) as client:
        assert await send_in_turn(client, 110) == {404: 100, 429: 10}
        redis_server.kill()
        for _ in range(3):
            assert await send_many(client, 50) == {404: 50}
            await asyncio.sleep(0.6)
        told = [(line["log_level"], line["event"]) for line in log.entries]
        assert told == [("warning", "rate_limits_are_off")]
        redis_server.start()
        started = time.perf_counter()
        await until_counted(client)
        figure(f"counted again {time.perf_counter() - started:.2f} s after Redis was back")
        assert time.perf_counter() - started < 2
        assert await send_in_turn(client, 110) == {404: 99, 429: 11}


@pytest.mark.alone
async def test_frozen_redis_delays_a_request_by_a_tenth_of_a_second_at_most(
    database_url: str, redis_server: RedisServer, figure: Figure
) -> None:
    async with limited(database_url, redis_url=redis_server.url) as client:
        await send(client)
        redis_server.freeze()
        answers = await asyncio.gather(*(timed(client) for _ in range(50)))
        for _ in range(20):
            answers.append(await timed(client))
            await asyncio.sleep(0.1)
        assert {status for status, _ in answers} == {404}
        slowest = max(seconds for _, seconds in answers)
        late = sum(seconds > 0.05 for _, seconds in answers[50:])
        figure(f"slowest {slowest * 1000:.0f} ms; of 20 in 2 s {late} waited")
        assert slowest < 0.5
        assert late <= 3
        redis_server.thaw()
        await until_counted(client)


async def test_starts_while_redis_is_away(database_url: str, redis_server: RedisServer) -> None:
    redis_server.kill()
    async with limited(database_url, redis_url=redis_server.url) as client:
        assert (await send(client)).status_code == 404


async def test_memory_is_given_back_once_a_subject_is_out_of_the_window() -> None:
    limiter = RateLimiter(Settings(database_url="postgresql://h/d"))
    limit = Limit("commands", "5/second", standard_headers)
    for number in range(1000):
        await limiter.hit(limit, f"subject {number}")
    remembered: dict[str, object] = limiter._window.storage.events  # type: ignore[attr-defined]
    assert len(remembered) == 1000
    await asyncio.sleep(1)
    await limiter.hit(limit, "another")
    for _ in range(100):
        await asyncio.sleep(0.05)
        if len(remembered) <= 1:
            return
    raise AssertionError(f"{len(remembered)} subjects are remembered")


def test_a_worker_without_limits_does_not_load_what_counts_them() -> None:
    program = """if True:
        import sys
        from app.config import Settings
        from app.main import create_app

        app = create_app(Settings(database_url="postgresql://nowhere/none", _env_file=None))
        assert not {"limits", "redis"} & sys.modules.keys()
    """
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=environment())


def test_what_counts_is_loaded_beside_the_loop_when_it_is_first_needed() -> None:
    program = """if True:
        import asyncio, sys, threading
        from httpx import ASGITransport, AsyncClient
        from app.config import Settings
        from app.main import create_app

        threads = []

        class Watch:
            def find_spec(name, path=None, target=None):
                if name.partition(".")[0] == "limits":
                    threads.append(threading.current_thread())

        sys.meta_path.insert(0, Watch)
        app = create_app(Settings(database_url="postgresql://nowhere/none", _env_file=None))

        async def guess():
            headers = {"X-Admin-Key": "wrong"}
            async with AsyncClient(transport=ASGITransport(app), base_url="http://t") as client:
                return await client.get("/admin/status", headers=headers)

        assert asyncio.run(guess()).status_code == 401
        assert threads and threading.main_thread() not in threads
    """
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=environment())


async def test_a_keys_own_limit_counts_in_place_of_the_general_one(database_url: str) -> None:
    for settings in ({}, {"execute_rate_limit": "2/minute"}):
        async with talking_to(database_url, **settings) as client:
            name = f"limited-{len(settings)}"
            minted = await create(client, key_name=name, rate_limit="5/minute")
            headers = {"X-Service-Key": minted.json()["service_key"]}
            answers = [
                await client.post("/execute", json=UNKNOWN, headers=headers) for _ in range(6)
            ]
            assert [answer.status_code for answer in answers] == [404] * 5 + [429]
            assert answers[0].headers["RateLimit-Policy"] == '"commands";q=5;w=60'
            # The key next to it has the general one, or none.
            others = await send_in_turn(client, 3)
            assert others == (Counter({404: 2, 429: 1}) if settings else Counter({404: 3}))


async def test_a_keys_own_limit_is_counted_in_redis_by_all_workers_together(
    database_url: str, redis_server: RedisServer
) -> None:
    async with (
        talking_to(database_url, redis_url=redis_server.url) as one,
        talking_to(database_url, redis_url=redis_server.url) as other,
    ):
        minted = await create(one, key_name="limited", rate_limit="6/minute")
        headers = {"X-Service-Key": minted.json()["service_key"]}
        answers = [
            await client.post("/execute", json=UNKNOWN, headers=headers)
            for client in (one, other) * 4
        ]
        assert Counter(answer.status_code for answer in answers) == {404: 6, 429: 2}
