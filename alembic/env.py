"""Runs migrations over asyncpg, all that one command of alembic names in one transaction.

`python -m app migrate` names one at a time.
"""

import asyncio

from sqlalchemy.engine import Connection

from alembic import context
from app.config import load_settings
from app.database import migrations


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()


async def _migrate_online() -> None:
    url: str | None = context.config.attributes.get("database_url")
    if url is None:
        settings = load_settings()
        url = (settings.migration_database_url or settings.database_url).get_secret_value()
    async with migrations.locked(url) as connection:
        await connection.run_sync(_migrate)


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif (lent := context.config.attributes.get("connection")) is not None:
    _migrate(lent)
else:
    asyncio.run(_migrate_online())
