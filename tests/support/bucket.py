"""A real S3 over HTTP, moto's, with a bucket for each test."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen
from uuid import uuid4

import obstore
import pytest
from obstore.store import S3Store

from app.config import Settings
from app.worker.mirror import open_bucket
from tests.support.service import environment, free_port


@dataclass(frozen=True)
class Bucket:
    """An empty bucket, and the settings by which a worker finds it."""

    endpoint: str
    name: str

    def environment(self, **changed: str) -> dict[str, str]:
        return {
            "AWS_S3_BUCKET": self.name,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            **changed,
        }

    def settings(self, database_url: str, **changed: Any) -> Settings:
        values: dict[str, Any] = {name.lower(): value for name, value in self.environment().items()}
        return Settings(database_url=database_url, log_level="ERROR", **values, **changed)

    def store(self) -> S3Store:
        return open_bucket(self.settings("postgresql://unused"))

    def objects(self) -> dict[str, Any]:
        """The content of every object, by its path."""
        store = self.store()
        paths = [meta["path"] for page in obstore.list(store, chunk_size=1000) for meta in page]
        return {path: json.loads(bytes(obstore.get(store, path).bytes())) for path in paths}


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Where moto answers."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            urlopen(f"{url}/moto-api/", timeout=1).close()  # noqa: S310 - our own loopback URL
            break
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    yield url
    process.kill()
    process.wait()


@pytest.fixture
def bucket(s3_url: str) -> Bucket:
    name = f"bucket-{uuid4().hex}"
    urlopen(Request(f"{s3_url}/{name}", method="PUT")).close()  # noqa: S310
    return Bucket(s3_url, name)
