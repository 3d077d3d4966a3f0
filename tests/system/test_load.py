"""Many at once, sudden death, and two workers that must agree, on the service as it is served."""

import asyncio
import gc
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from app.database.deadline import DEADLINE
from tests.conftest import Figure
from tests.support.databases import create_clone
from tests.support.load import Client
from tests.support.service import running
from tests.system.test_gunicorn import (
    ADMIN_HEADERS,
    COMMAND,
    hold_a_connection_to_each_worker,
    serving,
)

CONNECTIONS = 1000
WRITERS = 32
QUIET = {"LOG_LEVEL": "ERROR", "SHUTDOWN_DELAY": "0"}

Ask = Callable[[str], Awaitable[Counter[int]]]


@pytest.fixture
def many_files() -> Iterator[None]:
    """Lets this process, and those it starts, hold a thousand sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, 4 * CONNECTIONS if hard == resource.RLIM_INFINITY else hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(autouse=True, scope="module")
def _light() -> Iterator[None]:
    """Spares this process, which measures, the collector's walks over what other tests left."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.alone
async def test_a_thousand_connections_on_one_worker_are_all_served_in_time(
    database_url: str, figure: Figure, many_files: None
) -> None:
    durations: list[float] = []

    async def ask(client: Client, number: int, action: str, **payload: Any) -> int:
        started = time.monotonic()
        status, _ = await client.execute(action, f"user-{number}", **payload)
        durations.append(time.monotonic() - started)
        return status

    async def ask_all(action: str, **payload: Any) -> Counter[str]:
        questions = (ask(client, n, action, **payload) for n, client in enumerate(clients))
        return Counter(map(repr, await asyncio.gather(*questions, return_exceptions=True)))

    with running("serve", DATABASE_URL=database_url, **QUIET) as (url, _):
        clients = [Client(url) for _ in range(CONNECTIONS)]
        assert await ask_all("get-stats") == {"200": CONNECTIONS}
        assert await ask_all("create-task", title="Feed cat") == {"200": CONNECTIONS}
        for client in clients:
            client.close()

    assert max(durations) < DEADLINE
    figure(f"{len(durations)} answers, all 200, the slowest after {max(durations):.2f} s")


@dataclass
class Writes:
    """Titles sent, each its own idempotency key, and the ids of the tasks acknowledged."""

    sent: list[str] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)


async def create(client: Client, title: str) -> str:
    number = title.partition("-")[0]
    status, answer = await client.execute("create-task", f"user-{number}", key=title, title=title)
    assert status == 200, answer
    task_id: str = answer["data"]["id"]
    return task_id


async def write_until_cut(url: str, number: int, writes: Writes) -> None:
    client = Client(url)
    for attempt in range(1_000_000):
        title = f"{number}-{attempt}"
        writes.sent.append(title)
        try:
            writes.acknowledged[title] = await create(client, title)
        except (EOFError, OSError):
            return


async def send_again(url: str, number: int, writes: Writes) -> dict[str, str]:
    client = Client(url)
    titles = [title for title in writes.sent if title.startswith(f"{number}-")]
    ids = {title: await create(client, title) for title in titles}
    client.close()
    return ids


def kill(process: Any) -> None:
    """The master first, so that it cannot replace a worker."""
    master = psutil.Process(process.pid)
    for victim in [master, *master.children(recursive=True)]:
        victim.kill()
    process.wait(10)


async def rows(database_url: str, query: str) -> list[Any]:
    db = await asyncpg.connect(database_url)
    found = await db.fetch(query)
    await db.close()
    return list(found)


@pytest.mark.parametrize("attempt", range(3))
async def test_commands_sent_again_after_kill_9_happened_exactly_once(
    database_url: str, figure: Figure, attempt: int
) -> None:
    writes = Writes()
    settings = {"DATABASE_URL": database_url, "WEB_CONCURRENCY": "2", **QUIET}
    with running("serve", **settings) as (url, process):
        writers = [
            asyncio.create_task(write_until_cut(url, number, writes)) for number in range(WRITERS)
        ]
        await asyncio.sleep(1)
        kill(process)
        await asyncio.gather(*writers)
    unanswered = set(writes.sent) - writes.acknowledged.keys()
    assert len(unanswered) == WRITERS
    survivors = await rows(database_url, "SELECT title FROM tasks")
    assert writes.acknowledged.keys() <= {row["title"] for row in survivors}

    with running("serve", **settings) as (url, _):
        answers = await asyncio.gather(*(send_again(url, n, writes) for n in range(WRITERS)))
    ids = {title: task_id for answer in answers for title, task_id in answer.items()}
    assert writes.acknowledged.items() <= ids.items()
    stored = await rows(database_url, "SELECT title, id::text FROM tasks")
    assert sorted(stored) == sorted(ids.items())
    changed = await rows(database_url, "SELECT entity_id::text FROM changes")
    assert sorted(row["entity_id"] for row in changed) == sorted(ids.values())
    figure(
        f"{len(writes.acknowledged)} writes acknowledged, {WRITERS} unanswered "
        f"({len(survivors) - len(writes.acknowledged)} of them committed), 0 lost, 0 doubled"
    )


@pytest.fixture(scope="module")
def two_workers(server_url: str, template: str) -> Iterator[tuple[str, Any]]:
    with (
        create_clone(server_url, template) as database_url,
        serving(database_url, **QUIET) as served,
    ):
        yield served


@pytest.fixture
async def admin(two_workers: tuple[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to /admin over connections that are never used twice."""
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=f"{two_workers[0]}/admin", headers=ADMIN_HEADERS, limits=limits
    ) as client:
        yield client


@pytest.fixture
async def ask(two_workers: tuple[str, Any]) -> AsyncIterator[Ask]:
    """Uses a key on 20 fresh connections at once, and on one that each worker holds."""
    url, process = two_workers
    limits = httpx.Limits(max_keepalive_connections=0)
    async with AsyncExitStack() as stack:
        fresh = await stack.enter_async_context(httpx.AsyncClient(base_url=url, limits=limits))
        held = await hold_a_connection_to_each_worker(stack, url, process)
        assert len(held) == 2

        async def ask(key: str) -> Counter[int]:
            headers = {"X-Service-Key": key}
            clients = [fresh] * 20 + held
            answers = await asyncio.gather(
                *(client.post("/execute", json=COMMAND, headers=headers) for client in clients)
            )
            return Counter(answer.status_code for answer in answers)

        yield ask


def new_key(name: str) -> dict[str, str]:
    return {"key_name": name, "environment": "prod"}


async def test_fifty_creations_of_one_name_on_two_workers_give_one_key(
    admin: httpx.AsyncClient,
) -> None:
    answers = await asyncio.gather(
        *(admin.post("/service-keys", json=new_key("created")) for _ in range(50))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: 49}


async def test_ten_rotations_on_two_workers_give_ten_keys_that_work_at_once(
    admin: httpx.AsyncClient, ask: Ask
) -> None:
    first = (await admin.post("/service-keys", json=new_key("rotated"))).json()["service_key"]
    rotations = await asyncio.gather(
        *(admin.post("/rotate-key", json={"key_name": "rotated"}) for _ in range(10))
    )
    assert {answer.status_code for answer in rotations} == {200}
    keys = {first, *(answer.json()["new_key"] for answer in rotations)}
    assert len(keys) == 11
    for key in keys:
        assert await ask(key) == {200: 22}


@pytest.mark.alone
async def test_a_revoked_key_is_refused_by_two_workers_within_a_second(
    admin: httpx.AsyncClient, ask: Ask, figure: Figure
) -> None:
    key = (await admin.post("/service-keys", json=new_key("revoked"))).json()
    assert await ask(key["service_key"]) == {200: 22}
    assert (await admin.delete(f"/service-keys/{key['id']}")).status_code == 204
    revoked_at = last_accepted = time.monotonic()
    while (asked_at := time.monotonic()) < revoked_at + 1.5:
        statuses = await ask(key["service_key"])
        assert statuses.keys() <= {200, 401}
        if 200 in statuses:
            last_accepted = asked_at
    assert last_accepted - revoked_at < 1
    figure(f"last accepted {last_accepted - revoked_at:.2f} s after the revocation")
