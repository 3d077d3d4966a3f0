"""A database whose owned tables are divided by user, and a connection that sees who crosses.

What PostgreSQL finds in one partition, an engine that shards by the same column finds in one node.
"""

import json
import sys
from collections.abc import Container, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import asyncpg

import app
from app.database.distribution import OWNED
from app.services import Connection
from tests.support.crossings import ACROSS

NUMBER = 4

_KEYS = """
SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE conrelid = ANY ($1::text[]::regclass[]) AND contype IN ('p', 'u', 'f')
ORDER BY contype = 'f'
"""
_INDEXES = """
SELECT pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY ($1::text[]::regclass[])
    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype <> 'f')
"""
_TRIGGERS = """
SELECT pg_get_triggerdef(oid) FROM pg_trigger
WHERE tgrelid = ANY ($1::text[]::regclass[]) AND NOT tgisinternal
"""
# A violation names the partition's constraint, which an engine that shards calls so too.
_RENAMED = """
SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', part.conrelid::regclass, part.conname,
    whole.conname || '_' || substring(part.conrelid::regclass::text FROM '[0-9]+$'))
FROM pg_constraint AS part JOIN pg_constraint AS whole ON whole.oid = part.conparentid
WHERE part.contype IN ('p', 'u')
"""


async def divide(db: Connection) -> None:
    """Divides the owned tables, which are empty, by the hash of `user_id`."""
    keys = await db.fetch(_KEYS, OWNED)
    more = [row[0] for row in await db.fetch(_INDEXES, OWNED)]
    more += [row[0] for row in await db.fetch(_TRIGGERS, OWNED)]
    for table in OWNED:
        await _replace(db, table)
    for key in keys:
        await db.execute(
            f"ALTER TABLE {key['table']} ADD CONSTRAINT {key['name']} {key['definition']}"
        )
    for statement in [*more, *(row[0] for row in await db.fetch(_RENAMED))]:
        await db.execute(statement)


async def _replace(db: Connection, table: str) -> None:
    await db.execute(f"""
        CREATE TABLE divided (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS
            INCLUDING IDENTITY INCLUDING COMMENTS) PARTITION BY HASH (user_id);
        DROP TABLE {table} CASCADE;
        ALTER TABLE divided RENAME TO {table}
    """)
    for number in range(NUMBER):
        await db.execute(f"""
            CREATE TABLE {table}_p{number} PARTITION OF {table}
                FOR VALUES WITH (MODULUS {NUMBER}, REMAINDER {number})
        """)


class CrossingError(AssertionError):
    """A statement about one user's rows looks, or would look, where those of others are."""


class Watched(asyncpg.Connection):
    """A connection on which each statement of the service finds all it needs in one partition.

    But for those that are in `across`; `crossed` has those of them that were met.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.across: Container[str] = ACROSS
        self.crossed: set[str] = set()

    async def _execute(self, query: str, args: Any, *more: Any, **options: Any) -> Any:
        await self._watch(query, args)
        return await super()._execute(query, args, *more, **options)  # type: ignore[misc]

    async def _executemany(self, query: str, args: Any, *more: Any, **options: Any) -> Any:
        args = list(args)
        for one in args:
            await self._watch(query, one)
        return await super()._executemany(query, args, *more, **options)  # type: ignore[misc]

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        if not args:
            await self._watch(query, ())
        return await super().execute(query, *args, timeout=timeout)

    async def _watch(self, query: str, args: Any) -> None:
        if not query.lstrip().startswith(_EXPLAINABLE) or not _is_ours(sys._getframe(1)):
            return
        plan = f"EXPLAIN (FORMAT JSON) {query}"
        explained = await super()._execute(plan, args, 0, None)  # type: ignore[misc]
        met = partitions(json.loads(explained[0][0])[0]["Plan"])
        if len(met) < 2:
            return
        if query not in self.across:
            raise CrossingError(f"looks in {len(met)} partitions: {query}")
        self.crossed.add(query)


_EXPLAINABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_APP = str(Path(app.__file__).parent)
_DRIVER = (str(Path(asyncpg.__file__).parent), __file__)


def _is_ours(frame: FrameType | None) -> bool:
    """Whether the service sends the statement, and not a test."""
    while frame is not None and frame.f_code.co_filename.startswith(_DRIVER):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(_APP)


def partitions(plan: dict[str, Any]) -> set[str]:
    """The numbers of the partitions in which a plan looks, whatever the tables."""
    return {
        table.rpartition("_p")[2]
        for node in _nodes(plan)
        if (table := node.get("Relation Name", "")).rpartition("_p")[0] in OWNED
    }


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    children = plan.get("Plans", [])
    for child in children:
        yield from _nodes(child)
    # What is known to change nothing is planned for all partitions, and looks in none.
    if children and children[0].get("One-Time Filter") != "false":
        yield from plan.get("Target Tables", ())
