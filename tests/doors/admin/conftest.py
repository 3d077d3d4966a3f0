from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.services import Connection


@pytest.fixture
async def elsewhere(database_url: str) -> AsyncIterator[Connection]:
    """Where another worker, or somebody by hand, makes and lifts revocations."""
    db = await asyncpg.connect(database_url)
    yield db
    await db.close()
