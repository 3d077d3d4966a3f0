"""Workers as they run in production: killed, in numbers, with S3 away, while the service writes."""

import asyncio
import math
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import obstore
import psutil
import pytest

from app.services import Connection
from app.services.deliveries import oldest_age
from tests.conftest import MISSING_ID, SERVICE_HEADERS, Figure
from tests.support.bucket import Bucket
from tests.support.contacts import CALL, HEADERS, KEY, USER, fill
from tests.support.fleet import fleet
from tests.support.proxy import Proxy
from tests.support.service import ROOT, environment, free_port, running

SECONDS_AWAY = float(os.environ.get("S3_SECONDS_AWAY", "5"))
STATUSES = {"calls": ("completed", "cancelled"), "tasks": ("done", "in_progress", "todo")}


class Door:
    """Writes what partners write, at random, and knows how long each answer took."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._ids: dict[str, list[str]] = {"users": [], "calls": [], "tasks": []}
        self.seconds: list[float] = []
        self.writes = 0

    async def _send(self, method: str, path: str, body: object = None) -> Any:
        started = time.perf_counter()
        answer = await self._client.request(method, path, json=body)
        self.seconds.append(time.perf_counter() - started)
        # A task may be deleted while another of these writes changes it.
        assert answer.is_success or (method, answer.status_code) == ("PATCH", 404), answer.text
        self.writes += answer.is_success
        return answer.json()

    async def _create(self, path: str, body: dict[str, Any]) -> None:
        self._ids[path].append((await self._send("POST", f"/{path}", body))["id"])

    async def _change(self, path: str) -> None:
        entity_id, status = random.choice(self._ids[path]), random.choice(STATUSES[path])
        await self._send("PATCH", f"/{path}/{entity_id}/status?new_status={status}")

    async def _delete_task(self) -> None:
        task_id = self._ids["tasks"].pop(random.randrange(len(self._ids["tasks"])))
        payload = {"action": "delete-task", "user_id": "x", "payload": {"task_id": task_id}}
        await self._send("POST", "/execute", payload)

    async def write(self) -> None:
        """One write: more often a change of something there is than something new."""
        user_id = random.choice(self._ids["users"]) if self._ids["users"] else None
        choice = random.random()
        if user_id is None or choice < 0.1:
            await self._create("users", USER)
        elif choice < 0.2 or not self._ids["calls"]:
            await self._create("calls", {**CALL, "user_id": user_id})
        elif choice < 0.4 or len(self._ids["tasks"]) < 5:
            task = {"title": "Follow up", "user_id": random.choice([user_id, None])}
            await self._create("tasks", task)
        elif choice < 0.45:
            await self._delete_task()
        else:
            await self._change(random.choice(list(STATUSES)))

    async def write_for(self, seconds: float, rate: float) -> None:
        """Writes at this rate; what cannot be kept up with is not made up for."""
        ends_at = time.monotonic() + seconds
        pending: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while due < ends_at:
            pending.add(asyncio.create_task(self.write()))
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*pending)

    async def shown(self) -> dict[str, Any]:
        """All that the door shows, by the paths it has in the bucket."""
        return {
            f"{path}/{entity['id']}.json": entity
            for path in self._ids
            for entity in (await self._client.get(f"/{path}")).json()
        }

    def take_latency(self) -> tuple[float, float]:
        """Median and 95th percentile, in milliseconds, of the answers since the last call."""
        ordered, self.seconds = sorted(self.seconds), []
        return ordered[len(ordered) // 2] * 1000, ordered[len(ordered) * 95 // 100] * 1000


@pytest.fixture
async def door(database_url: str) -> AsyncIterator[Door]:
    settings = {"DATABASE_URL": database_url, "TASK_API_KEY": KEY, "LOG_LEVEL": "ERROR"}
    with running("serve", SHUTDOWN_DELAY="0", **settings) as (url, _):
        headers = {**HEADERS, **SERVICE_HEADERS}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client:
            yield Door(client)


async def settle(writer: Connection, seconds: float = 15) -> float:
    """Waits until no change is waiting; returns for how long."""
    started = time.monotonic()
    while await oldest_age(writer, "mirror") or not await writer.fetchval(
        "SELECT count(*) FROM consumers"
    ):
        assert time.monotonic() - started < seconds
        await asyncio.sleep(0.05)
    return time.monotonic() - started


async def told_again(writer: Connection) -> None:
    """Waits until that is repeated which a killed worker may have sent, and the bucket got late."""
    async with asyncio.timeout(30):
        while await writer.fetchval("SELECT count(*) FROM deliveries WHERE consumer = 'mirror'"):
            await asyncio.sleep(0.2)


def start(*arguments: str, **settings: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        env=environment(**settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def assert_mirrored(door: Door, bucket: Bucket) -> None:
    assert await asyncio.to_thread(bucket.objects) == await door.shown()


async def test_killed_workers_lose_nothing(
    door: Door, writer: Connection, database_url: str, bucket: Bucket, figure: Figure
) -> None:
    with fleet(bucket.settings(database_url), 2) as workers:
        writing = asyncio.create_task(door.write_for(20, rate=105))
        for _ in range(50):
            await asyncio.sleep(random.uniform(0.05, 0.65))
            await asyncio.to_thread(workers.kill_one)
        await writing
        settled = await settle(writer)
        await told_again(writer)
        await assert_mirrored(door, bucket)
    assert door.writes > 2000
    figure(f"50 kills, {door.writes} writes, equal {settled:.2f} s after both")


@pytest.mark.alone
async def test_changes_are_mirrored_within_five_seconds_at_200_writes_a_second(
    door: Door, writer: Connection, database_url: str, bucket: Bucket, figure: Figure
) -> None:
    port = free_port()
    settings = bucket.environment(DATABASE_URL=database_url, METRICS_PORT=str(port))
    with start("worker", **settings) as worker:
        await asyncio.sleep(2)
        await door.write_for(8, rate=200)
        settled = await settle(writer)
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        worker.terminate()
    await assert_mirrored(door, bucket)
    within = {
        float(bound): float(count)
        for bound, count in re.findall(r'delivery_lag_seconds_bucket.*le="([^"]+)".*} (\S+)', text)
    }
    total = within[math.inf]
    assert within[5.0] >= 0.99 * total > 0
    p99 = min(bound for bound, count in within.items() if count >= 0.99 * total)
    figure(f"{door.writes} writes, {total:.0f} deliveries, p99 of the lag within {p99} s")
    assert settled < 5


@pytest.mark.alone
async def test_s3_being_away_costs_nothing_but_lag(
    door: Door, writer: Connection, database_url: str, bucket: Bucket, figure: Figure
) -> None:
    port = urlsplit(bucket.endpoint).port
    async with Proxy(port or 0) as proxy:
        behind = replace(bucket, endpoint=f"http://127.0.0.1:{proxy.port}")
        with fleet(behind.settings(database_url), 2):
            await door.write_for(4, rate=50)
            p50, p95 = door.take_latency()
            proxy.go_away()
            await door.write_for(SECONDS_AWAY, rate=50)
            away_p50, away_p95 = door.take_latency()
            assert await oldest_age(writer, "mirror") > SECONDS_AWAY - 2
            await proxy.come_back()
            settled = await settle(writer)
            await assert_mirrored(door, bucket)
    figure(
        f"p50 {p50:.1f} ms, p95 {p95:.1f} ms; away for {SECONDS_AWAY:.0f} s: p50 {away_p50:.1f}, "
        f"p95 {away_p95:.1f} ms; equal {settled:.2f} s after the return"
    )
    assert settled < 5
    assert away_p50 < 2 * p50 + 5


async def test_a_rebuild_during_writes_leaves_the_bucket_equal(
    door: Door, writer: Connection, database_url: str, bucket: Bucket
) -> None:
    await fill(writer, 200)
    store = bucket.store()
    stray, others = f"users/{MISSING_ID}.json", ("users/README.json", "elsewhere/a.json")
    for path in (stray, *others):
        obstore.put(store, path, b"{}")
    with fleet(bucket.settings(database_url), 1):
        writing = asyncio.create_task(door.write_for(4, rate=50))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app", "mirror", "rebuild"),
            env=environment(DATABASE_URL=database_url, **bucket.environment()),
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        await writing
        await settle(writer)
    assert process.returncode == 0
    assert "Rebuilt." in printed.decode()
    objects = await asyncio.to_thread(bucket.objects)
    assert stray not in objects
    for path in others:
        assert objects.pop(path) == {}
    assert objects == await door.shown()


@pytest.mark.alone
def test_an_idle_worker_costs_next_to_nothing(
    database_url: str, bucket: Bucket, figure: Figure
) -> None:
    worker = start("worker", DATABASE_URL=database_url, **bucket.environment())
    time.sleep(3)
    process = psutil.Process(worker.pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(5)
    used = sum(process.cpu_times()[:2]) - before
    memory = process.memory_info().rss / 1e6
    worker.terminate()
    worker.communicate(timeout=10)
    figure(f"{used / 5:.2%} of a core, {memory:.0f} MB")
    assert used < 0.1


@pytest.mark.alone
def test_an_idle_worker_stops_at_once(database_url: str, bucket: Bucket) -> None:
    settings = {"DATABASE_URL": database_url, "LOG_LEVEL": "INFO"}
    worker = start("worker", **settings, **bucket.environment())
    assert worker.stdout
    first = worker.stdout.readline()
    started = time.monotonic()
    worker.terminate()
    printed, complained = worker.communicate(timeout=10)
    assert (worker.returncode, complained) == (0, "")
    assert time.monotonic() - started < 1
    said = first + printed
    assert [event in said for event in ("worker_started", "worker_stopped")] == [True, True]


def test_the_development_run_brings_a_worker_along(database_url: str, bucket: Bucket) -> None:
    settings = {"DATABASE_URL": database_url, **bucket.environment()}
    with running("dev", "--no-reload", **settings) as (url, process):
        user = httpx.post(f"{url}/users", json=USER, headers=HEADERS).json()
        for _ in range(50):
            if objects := bucket.objects():
                break
            time.sleep(0.1)
        workers = psutil.Process(process.pid).children()
    assert objects == {f"users/{user['id']}.json": user}
    assert workers
    assert not any(worker.is_running() for worker in workers)


def test_the_service_loads_nothing_of_the_worker() -> None:
    program = """if True:
        import sys, app.__main__, app.main, app.server
        assert not {"obstore", "app.worker.run", "app.worker.mirror"} & sys.modules.keys()
    """
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env=environment())
