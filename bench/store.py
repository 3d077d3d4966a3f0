"""The embedded PostgreSQL in .data/bench, its data sets, and what it costs."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click

from app.database import embedded, migrations
from app.models.key import NewKey
from app.services import keys
from bench import data

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".data" / "bench"
KEY_NAME = "benchmark"
WRITER = "writer"
"""The prefix of the users whose tasks a run creates; the next run removes them."""

_CHUNK = 20_000

Result = TypeVar("Result")
Connection = Any
Sample = list[tuple[str, str]]
"""Ids of tasks, each with its owner."""


class Store:
    """A database with one data set, on the server that all data sets share."""

    def __init__(self, server: Any, name: str, groups: data.Population) -> None:
        self.server = server
        self.url = embedded.url(server, name)
        self._name = name
        self._groups = groups

    def prepare(self) -> str:
        """Generates the data unless they are there, clears the last run; a new service key."""
        asyncio.run(embedded.create_database(self.server, self._name))
        if self._ask(_fingerprint) != self._expected():
            self._generate()
        self._ask(_clear_last_run)
        return self._ask(_mint_key)

    def sample(self, size: int) -> Sample:
        """Random tasks of ordinary users."""
        share = min(100.0, 150.0 * size / data.count(self._groups))
        return self._ask(lambda db: _sample(db, share))[:size]

    def _generate(self) -> None:
        async def recreate(db: Connection) -> None:
            await db.execute(f'DROP DATABASE "{self._name}" WITH (FORCE)')
            await db.execute(f'CREATE DATABASE "{self._name}"')

        _run(embedded.url(self.server, "postgres"), recreate)
        migrations.upgrade(self.url)
        self._ask(lambda db: _fill(db, self._groups))
        self._ask(lambda db: _complete(db, self._expected()))

    def _expected(self) -> str:
        """Differs where the data, or the schema they were made for, would be other ones."""
        scripts = sorted((ROOT / "alembic" / "versions").glob("*.py"))
        schema = b"".join(script.read_bytes() for script in scripts)
        return sha256(f"{data.VERSION} {self._groups}".encode() + schema).hexdigest()

    def _ask(self, question: Callable[[Connection], Awaitable[Result]]) -> Result:
        return _run(self.url, question)


def start_server() -> Any:
    """The server; it ends with this process."""
    return embedded.start(FOLDER)


def main_store(server: Any, rows: int) -> Store:
    """That many tasks of users with 100 each, and the special users."""
    return Store(server, f"bench_{rows}", data.population(rows))


def _run(url: str, question: Callable[[Connection], Awaitable[Result]]) -> Result:
    async def connect_and_ask() -> Result:
        connection = await asyncpg.connect(url)
        try:
            return await question(connection)
        finally:
            await connection.close()

    return asyncio.run(connect_and_ask())


async def _fingerprint(db: Connection) -> str | None:
    with suppress(asyncpg.UndefinedTableError):
        return await db.fetchval("SELECT fingerprint FROM bench_data_set")
    return None


async def _fill(db: Connection, groups: data.Population) -> None:
    total = data.count(groups)
    rows = data.tasks(groups)
    with click.progressbar(length=total, label=f"Generating {total:,} tasks") as progress:
        while chunk := list(islice(rows, _CHUNK)):
            await db.copy_records_to_table("tasks", records=chunk, columns=data.COLUMNS)
            progress.update(len(chunk))


async def _complete(db: Connection, fingerprint: str) -> None:
    # A vacuum that happens to run during a round would be charged to whoever is measured.
    for table in ("tasks", "changes", "change_counts"):
        await db.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    await db.execute("VACUUM (ANALYZE, FREEZE) tasks")
    await db.execute("CREATE TABLE bench_data_set (fingerprint text NOT NULL)")
    await db.execute("INSERT INTO bench_data_set (fingerprint) VALUES ($1)", fingerprint)


async def _clear_last_run(db: Connection) -> None:
    await db.execute("DELETE FROM tasks WHERE starts_with(user_id, $1)", f"{WRITER}-")
    await db.execute("TRUNCATE changes, change_counts, replays")
    # Whoever wrote the tasks before the run was counted then.
    await db.execute(
        "INSERT INTO change_counts (user_id, last_sequence) SELECT DISTINCT user_id, 0 FROM tasks"
    )
    await db.execute("VACUUM ANALYZE tasks, change_counts")
    await db.execute("CHECKPOINT")


def mint_key(url: str) -> str:
    """A new service key in the database."""
    return _run(url, _mint_key)


async def _mint_key(db: Connection) -> str:
    await db.execute("DELETE FROM service_api_keys WHERE key_name = $1", KEY_NAME)
    value = keys.generate("prod", None)
    await keys.insert_key(db, NewKey(key_name=KEY_NAME, environment="prod"), value)
    return value


async def _sample(db: Connection, percent: float) -> Sample:
    rows = await db.fetch(
        """
        SELECT id, user_id FROM tasks TABLESAMPLE BERNOULLI ($1) REPEATABLE (4)
        WHERE starts_with(user_id, 'user-')
        ORDER BY md5(id::text)
        """,
        percent,
    )
    return [(str(row["id"]), row["user_id"]) for row in rows]
