"""What stands between the service and PostgreSQL, and so whether a statement keeps its name."""

from enum import StrEnum
from uuid import uuid4

from app.services import Connection


class Pooler(StrEnum):
    """How a connection treats the prepared statements that it is told to keep by name."""

    NONE = "none"
    """They are its own: it leads to one server process alone."""
    TRACKING = "tracks statements"
    """It shares server processes, and sees to it that each knows the statements it needs."""
    UNAWARE = "does not track statements"
    """It shares server processes, each of which knows what anybody happened to prepare there."""


_SELECTS_ITSELF = "SELECT EXISTS (SELECT 1 FROM pg_prepared_statements WHERE name = $1)"


async def find_pooler(connection: Connection) -> Pooler:
    """Asks the server itself, on a direct connection in one round trip."""
    told = connection.get_server_pid()
    if await connection.execute(f"SELECT WHERE pg_backend_pid() = {told}") == "SELECT 1":
        return Pooler.NONE
    name = f"found_verbatim_{uuid4().hex}"
    async with connection.transaction():  # all of it on one server process
        statement = await connection.prepare(_SELECTS_ITSELF, name=name)
        is_verbatim = await statement.fetchval(name)
        # asyncpg closes what nobody refers to after it has prepared something else. Later that
        # would end the transaction in which an unnamed statement is described and then executed.
        del statement
        await connection.fetchval("SELECT true")
    return Pooler.UNAWARE if is_verbatim else Pooler.TRACKING  # which gives it another name
