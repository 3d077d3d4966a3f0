"""Alembic, called from the command line and the tests."""

from pathlib import Path

from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from alembic import command

_ROOT = Path(__file__).parent.parent


def alembic_config(database_url: str) -> Config:
    """Alembic's configuration for the database at this URL."""
    config = Config(_ROOT / "alembic.ini")
    config.attributes["database_url"] = database_url
    return config


def upgrade(database_url: str, revision: str = "head") -> None:
    """Brings the schema to the revision; returns when every migration is committed."""
    try:
        command.upgrade(alembic_config(database_url), revision)
    except DBAPIError as error:
        # SQLAlchemy wraps what asyncpg said, twice.
        raise (error.orig and error.orig.__cause__) or error from None
