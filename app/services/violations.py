"""What a violated constraint means to the caller."""

from collections.abc import Iterator
from contextlib import contextmanager

from asyncpg import UniqueViolationError


@contextmanager
def violating(constraint: str, error: Exception) -> Iterator[None]:
    """Raises the error where a statement violates the unique constraint of this name."""
    try:
        yield
    except UniqueViolationError as violation:
        if violation.constraint_name != constraint:
            raise
        raise error from violation
