"""What processes of their own need: a service to talk to, a bucket, a connection to write by."""

import shutil
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from playwright.sync_api import Page

from app.services import Connection
from tests.support.browser import browsing, chromium
from tests.support.bucket import bucket, s3_url
from tests.support.databases import create_clone
from tests.support.service import running

__all__ = ["bucket", "chromium", "s3_url"]


@pytest.fixture(scope="module")
def service(server_url: str, template: str) -> Iterator[str]:
    if shutil.which("curl") is None:
        pytest.skip("NO CURL FOUND: install it to run what the documents print")
    with (
        create_clone(server_url, template) as database_url,
        running(
            "dev",
            "--no-reload",
            DATABASE_URL=database_url,
            MCP_ENABLED="true",
            WEBHOOK_ALLOW_NETWORKS="127.0.0.0/8",
        ) as (url, _),
    ):
        yield url


@pytest.fixture
async def writer(database_url: str) -> AsyncIterator[Connection]:
    """A connection to the test's own database."""
    connection: Connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A page of a browser that has just been started."""
    with browsing(chromium) as browser:
        yield browser.new_page()
