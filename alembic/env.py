"""Runs migrations over asyncpg, all of one upgrade in one transaction."""

import asyncio

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from alembic import context
from app.config import load_settings

# Two deployments that migrate at once take turns; any number known to both will do.
_LOCK = "SELECT pg_advisory_xact_lock(7237121049)"


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        connection.execute(text(_LOCK))
        context.run_migrations()


async def _migrate_online() -> None:
    url: str | None = context.config.attributes.get("database_url")
    if url is None:
        settings = load_settings()
        url = (settings.migration_database_url or settings.database_url).get_secret_value()

    async def connect() -> object:
        # Without its statement cache asyncpg also migrates through a pooler.
        return await asyncpg.connect(url, timeout=10, statement_cache_size=0)

    engine = create_async_engine(
        "postgresql+asyncpg://?prepared_statement_cache_size=0",
        async_creator=connect,
        poolclass=NullPool,
    )
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(_migrate_online())
