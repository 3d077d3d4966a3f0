"""What a person at the command line is told."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import click

from app.errors import AppError


@contextmanager
def clear_errors() -> Iterator[None]:
    """One line instead of a traceback for what a person at the command line can mend."""
    try:
        yield
    except AppError as error:
        raise click.ClickException(error.message) from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = " ".join(str(error).splitlines()) or type(error).__name__
        raise click.ClickException(f"Cannot use the database: {reason}") from None
