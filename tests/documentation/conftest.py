"""A service for the programs of `examples/`."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.databases import create_clone
from tests.support.service import running


class Served(NamedTuple):
    """Where a service answers, and the database behind it."""

    url: str
    database_url: str


@pytest.fixture(scope="session")
def served(server_url: str, template: str) -> Iterator[Served]:
    """A service that tests share: each has users of its own."""
    with (
        create_clone(server_url, template) as database_url,
        running("serve", DATABASE_URL=database_url, LOG_LEVEL="ERROR", SHUTDOWN_DELAY="0") as (
            url,
            _,
        ),
    ):
        yield Served(url, database_url)
