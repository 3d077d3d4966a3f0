"""Alembic, called from the command line and the tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from alembic import command
from app.database import adoption
from app.database.schema import NEEDED, Schema, fetch_schema, find_age, find_fault
from app.errors import Conflict
from app.services import Connection

_ROOT = Path(__file__).parents[2]

# Two deployments that migrate at once take turns; any number known to both will do. It is tried,
# not waited for, each time in a transaction of its own: an index that is built beside everybody
# waits for the end of whichever had a snapshot when it looked.
_LOCK = "SELECT WHERE pg_try_advisory_xact_lock(7237121049)"
_TRIED_EVERY = 0.1
_BEGIN = text("SELECT")  # with a statement SQLAlchemy begins a transaction


def alembic_config(database_url: str) -> Config:
    """Alembic's configuration for the database at this URL."""
    config = Config(_ROOT / "alembic.ini")
    config.attributes["database_url"] = database_url
    return config


_TAKEN = (
    asyncpg.DuplicateTableError,
    asyncpg.DuplicateObjectError,
    asyncpg.DuplicateFunctionError,
)
_NEEDED_NAME = (
    ", and this service needs the name: rename it or move it to another schema, then try again"
)
_LOST = (
    "the tables are this service's, but alembic_version does not say of which revision: write it "
    "there again, or restore the table from a backup, then try again"
)


def upgrade(database_url: str) -> str:
    """Brings the schema up to date and returns what was done; interrupted, it goes on next time.

    That of the published original is adopted, a newer one is left as it is. Conflict when there is
    anything else.
    """
    try:
        return asyncio.run(_upgrade(database_url))
    except DBAPIError as error:
        # SQLAlchemy wraps what asyncpg said, twice.
        reason = (error.orig and error.orig.__cause__) or error
        if isinstance(reason, _TAKEN):
            raise Conflict(f"{reason.args[0]}{_NEEDED_NAME}") from None
        raise reason from None
    except CommandError as error:
        raise Conflict(str(error)) from None


async def _upgrade(database_url: str) -> str:
    began = None
    while True:
        # Each migration commits by itself, or what one has locked would wait for the next.
        async with locked(database_url) as connection:
            db = await _asyncpg(connection)
            present = await fetch_schema(db)
            if present.is_newer or (present.is_ours and present.revision == NEEDED):
                return f"{began} → {present}" if began else present.summary
            if not present.is_ours:
                return await _take_over(connection, db, present, database_url)
            if present.revision is None:
                raise Conflict(_LOST)
            began = began or present
            # Ends what asyncpg leaves open of a statement that it fetches one row of: a portal with
            # a snapshot, for which an index that is built beside it would wait for ever.
            await db.execute("SELECT")
            await _prepare(database_url, present.revision)
            await connection.run_sync(_run, database_url, "+1")


_FIND_BROKEN = """
SELECT format('DROP INDEX CONCURRENTLY %s', indexrelid::regclass)
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND strpos($1, format(' %s ', relname)) > 0
"""


async def _prepare(database_url: str, revision: str | None) -> None:
    """Does beforehand, statement by statement, what the next migration says takes long.

    An index that was broken off before begins again.
    """
    scripts = ScriptDirectory.from_config(alembic_config(database_url))
    beforehand = [
        statement
        for following in scripts.walk_revisions()
        if following.down_revision == revision
        for statement in getattr(following.module, "BEFOREHAND", ())
    ]
    if not beforehand:
        return
    db = await _connect(database_url)
    try:
        broken = [row[0] for row in await db.fetch(_FIND_BROKEN, " ".join(beforehand))]
        for statement in [*broken, *beforehand]:
            await db.execute(statement)
    finally:
        await db.close()


async def _take_over(
    connection: AsyncConnection, db: Connection, before: Schema, database_url: str
) -> str:
    """Makes the schema in a database that has none of ours, all or nothing."""
    tables = await adoption.set_aside(db)
    if before.revision is not None and not tables:
        raise Conflict(f"alembic_version is at {before}, which is not this service's")
    await connection.run_sync(_run, database_url, "head")
    adopted = await adoption.bring_over(db, tables)
    return f"{adopted}{before} → {NEEDED}"


def _run(connection: SyncConnection, database_url: str, revision: str) -> None:
    config = alembic_config(database_url)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def check(database_url: str) -> str:
    """Says that the schema is up to date, or newer; Conflict when it is behind."""
    return asyncio.run(_check(database_url))


async def _check(database_url: str) -> str:
    db = await _connect(database_url)
    try:
        if fault := await find_fault(db):
            raise Conflict(fault)
        return (await fetch_schema(db)).summary
    finally:
        await db.close()


@asynccontextmanager
async def locked(database_url: str) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction, committed on leaving, that no other migration runs beside."""
    engine = create_async_engine(
        "postgresql+asyncpg://?prepared_statement_cache_size=0",
        async_creator=partial(_connect, database_url),
        poolclass=NullPool,
    )
    async with engine.connect() as connection:
        db = await _asyncpg(connection)
        await connection.execute(_BEGIN)
        while await db.execute(_LOCK) == "SELECT 0":  # another process has it
            await connection.rollback()
            await asyncio.sleep(_TRIED_EVERY)
            await connection.execute(_BEGIN)
        yield connection
        await connection.commit()
    await engine.dispose()


async def _asyncpg(connection: AsyncConnection) -> Connection:
    raw = await connection.get_raw_connection()
    return raw.driver_connection  # type: ignore[return-value]


async def _connect(database_url: str) -> Connection:
    # Without its statement cache asyncpg also migrates through a pooler.
    db: Connection = await asyncpg.connect(database_url, timeout=10, statement_cache_size=0)
    if (fault := find_age(db)) is not None:
        await db.close()
        raise Conflict(fault)
    return db
