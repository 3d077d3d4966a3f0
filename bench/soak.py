"""Whether tables and indexes level off: a store that is written to while what is old goes.

A day of the store is a number of writes, done by the services' own statements, and what they keep
for days is kept for as long as so many of its days took. The vacuum looks every second, as its
minute would be most of a day.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import click
import uvloop

from app.database import embedded, migrations
from app.models.origin import PLATFORM
from app.models.task import TaskFields
from app.models.webhook import NewEndpoint
from app.services import (
    deletions,
    deliveries,
    log_pruning,
    mirror,
    replays,
    retention,
    tasks,
    webhook_deliveries,
    webhooks,
)
from app.services.log import follow
from app.services.replays import Answered
from app.services.retention import PORTION, Slice
from app.services.webhook_deliveries import Outcome
from bench.compare import machine
from bench.report import table
from tests.support import postgres

DAYS = 40
_KEPT, _UNDONE, _RESTORABLE = 8, 3, 4
"""For how many of the store's days: log, answers and deliveries; old values; withdrawn tasks."""
_WRITES_OF_A_USER = 1_000
_TOLD = 10
"""One in so many users is a contact, whom the mirror follows, and one has a webhook."""
_TOGETHER = 50
_AT_ONCE = 4
_TABLES = (
    "tasks",
    "changes",
    "replays",
    "webhook_deliveries",
    "deliveries",
    "completions",
    "change_counts",
)
_ANSWER = b'{"success":true,"data":{"id":"","title":"","description":"","status":""}}' * 6

Connection = Any
Sizes = Mapping[str, tuple[int, int, int]]
"""Bytes of each table, of its indexes, and its live rows."""


class Plan(NamedTuple):
    """How much to write, and when to stop all the same."""

    writes: int
    minutes: float


class Day(NamedTuple):
    """What the store held at the end of a day."""

    writes: int
    sizes: Sizes


class _User(NamedTuple):
    user_id: str
    tasks: deque[UUID]


class _Store:
    """A server of its own, which goes when the soak ends."""

    def __init__(self, url: str, writes: int) -> None:
        self._url = url
        self._turns = max(1, writes // DAYS // (_TOGETHER * 5 // 2))
        number_of_users = max(2 * _TOLD, writes // _WRITES_OF_A_USER)
        self._users = [_User(_name(number), deque()) for number in range(number_of_users)]
        self._next_user = cycle(self._users)
        self._began: list[float] = []
        self._connections: list[Connection] = []
        self.writes = 0

    async def open(self) -> None:
        self._connections = [await asyncpg.connect(self._url) for _ in range(_AT_ONCE)]
        db = self._connections[0]
        await follow(db, _MIRROR)
        await follow(db, webhook_deliveries.TAKING)
        told = [user.user_id for user in self._users[1::_TOLD]]
        endpoint = NewEndpoint(url="https://example.com/hook", events=["*"], user_ids=told)
        await webhooks.insert_endpoint(db, endpoint, b"secret")

    async def live_a_day(self) -> Day:
        """Writes, tells the log's consumers, and removes what is old."""
        self._began.append(monotonic())
        turns = iter(range(self._turns))
        await asyncio.gather(*(self._write(db, turns) for db in self._connections))
        db, other, *_ = self._connections
        await _tell_mirror(db, other)
        await _tell_webhooks(db)
        await self._remove(db)
        return Day(self.writes, await _sizes(db))

    async def close(self) -> None:
        for connection in self._connections:
            await connection.close()

    async def _write(self, db: Connection, turns: Iterator[int]) -> None:
        for _ in turns:
            await self._take_turn(db, next(self._next_user))

    async def _take_turn(self, db: Connection, user: _User) -> None:
        """A batch of new tasks, half of them completed, and as many old ones withdrawn."""
        made = await _create(db, user.user_id)
        for task_id in made[::2]:
            await tasks.toggle_task(db, task_id, user.user_id, _origin())
        user.tasks.extend(made)
        old = [user.tasks.popleft() for _ in range(len(user.tasks) - _TOGETHER)]
        for task_id in old:
            await deletions.withdraw_task(db, task_id, user.user_id, _origin())
        self.writes += len(made) + len(made[::2]) + len(old)

    async def _remove(self, db: Connection) -> None:
        """In the order and with the statements of `app.database.purge`."""
        kept = self._last_days(_KEPT)
        await _all(db, retention.purge_tasks, self._last_days(_RESTORABLE))
        while await log_pruning.forget_content(db, self._last_days(_UNDONE)) == PORTION:
            pass
        await _all(db, log_pruning.prune_changes, kept)
        await _all(db, retention.purge_replays, kept)
        while await webhook_deliveries.purge_old(db, kept):
            pass

    def _last_days(self, days: int) -> timedelta:
        if len(self._began) <= days:
            return timedelta(days=1)
        return timedelta(seconds=monotonic() - self._began[-days])


def _name(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000" if number % _TOLD == 0 else f"u{number}"


def _origin() -> Any:
    return PLATFORM._replace(command_id=uuid4().hex)


async def _create(db: Connection, user_id: str) -> list[UUID]:
    """As a batch does: keys claimed, tasks made in one round trip, answers stored."""
    fields = TaskFields(title="Buy cat food", description="Salmon flavour, 2 kg bag. " * 4)
    origins = [_origin() for _ in range(_TOGETHER)]
    keys = [origin.command_id for origin in origins]
    async with db.transaction():
        await replays.claim_all(db, user_id, "soak", keys, across_owners=False)
        made = await tasks.insert_tasks(db, [(user_id, fields, origin) for origin in origins])
        answers = [Answered(key, sha256(key.encode()).digest(), 200, _ANSWER) for key in keys]
        await replays.store_all(db, user_id, "soak", answers)
    return [task.id for task in made]


_MIRROR = deliveries.taking(mirror.NAME, mirror.INTEREST)


async def _tell_mirror(db: Connection, other: Connection) -> None:
    log = await follow(db, _MIRROR)
    while await log.take(db):
        pass
    entity_ids = [UUID(int=0)]
    while entity_ids:
        async with db.transaction():
            entity_ids = await deliveries.claim(db, mirror.NAME, 100)
            claimed = await deliveries.begin(other, mirror.NAME, entity_ids)
            await deliveries.finish(db, mirror.NAME, claimed)


async def _tell_webhooks(db: Connection) -> None:
    log = await follow(db, webhook_deliveries.TAKING)
    while await log.take(db):
        pass
    claimed = True
    while claimed:
        async with db.transaction():
            _, found = await webhook_deliveries.claim(db, {}, 200)
        if found:
            outcomes = [Outcome(one, True, None, 200, 12, None) for one in found]
            await webhook_deliveries.finish(db, outcomes)
        claimed = bool(found)


async def _all(
    db: Connection, remove: Callable[[Any, Any, timedelta], Awaitable[Slice]], kept: timedelta
) -> None:
    portion = await remove(db, None, kept)
    while portion.removed == PORTION:
        portion = await remove(db, portion.end, kept)


async def _sizes(db: Connection) -> Sizes:
    return {name: await _size(db, name) for name in _TABLES}


async def _size(db: Connection, name: str) -> tuple[int, int, int]:
    row = await db.fetchrow(
        f"SELECT pg_table_size($1), pg_indexes_size($1), (SELECT count(*) FROM {name})",
        name,
    )
    return tuple(row)


def soak(plan: Plan) -> dict[str, Any]:
    """The sizes after a quarter of the days, half of them, and so on."""
    with _server() as url:
        days = uvloop.run(_live(url, plan))
    return {
        "machine": machine(),
        "plan": plan._asdict(),
        "days": len(days),
        "quarters": [days[len(days) * quarter // 4 - 1]._asdict() for quarter in (1, 2, 3, 4)],
    }


@contextmanager
def _server() -> Iterator[str]:
    with TemporaryDirectory(prefix="task-manager-api-soak-") as folder:
        Path(folder).chmod(0o755)  # where root runs this, PostgreSQL is somebody else
        server = postgres.Server.with_database(Path(folder) / "data")
        try:
            server.execute(
                "ALTER SYSTEM SET autovacuum_naptime = '1s'",
                "ALTER SYSTEM SET synchronous_commit = off",
                "SELECT pg_reload_conf()",
            )
            migrations.upgrade(embedded.url(server.handle, embedded.DATABASE))
            yield server.url
        finally:
            server.stop()


async def _live(url: str, plan: Plan) -> list[Day]:
    days: list[Day] = []
    ends = monotonic() + 60 * plan.minutes
    store = _Store(url, plan.writes)
    await store.open()
    while store.writes < plan.writes and monotonic() < ends:
        days.append(await store.live_a_day())
        whole = sum(heap + indexes for heap, indexes, _ in days[-1].sizes.values())
        click.echo(f"day {len(days)}: {store.writes:,} writes, {_megabytes(whole)} MB")
    await store.close()
    return days


def markdown(results: dict[str, Any]) -> str:
    """Table and indexes in megabytes as the days go by, and how much the second half adds."""
    shown = [Day(**quarter) for quarter in results["quarters"]]
    header = ("", *(f"after {day.writes:,}" for day in shown), "last / half")
    rows = ((name, *(_both(day, name) for day in shown), _growth(shown, name)) for name in _TABLES)
    return (
        f"# Soak\n\n{shown[-1].writes:,} writes in {results['days']} days of the store; log, "
        f"answers and deliveries are kept for {_KEPT} of them. Table + indexes, MB.\n\n"
        f"{table(header, rows)}"
    )


def _both(day: Day, name: str) -> str:
    heap, indexes, _ = day.sizes[name]
    return f"{_megabytes(heap)} + {_megabytes(indexes)}"


def _growth(shown: list[Day], name: str) -> str:
    half, last = (sum(day.sizes[name][:2]) for day in (shown[1], shown[3]))
    return f"{last / half:.2f}"


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f}"
