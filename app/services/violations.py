"""What a violated constraint means to the caller."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from asyncpg import UniqueViolationError

# Of a table that is divided, each part has a constraint of its own with a number behind the name.
_PART = re.compile(r"_[0-9]+$")


@contextmanager
def violating(constraint: str, error: Exception) -> Iterator[None]:
    """Raises the error where a statement violates the unique constraint of this name."""
    try:
        yield
    except UniqueViolationError as violation:
        if _PART.sub("", violation.constraint_name or "") != constraint:
            raise
        raise error from violation
