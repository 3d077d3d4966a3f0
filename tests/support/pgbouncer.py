"""PgBouncer in transaction mode, in front of the server under test."""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from tests.support.service import free_port

BINARY = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = [
    pytest.mark.pgbouncer,
    pytest.mark.skipif(
        BINARY is None,
        reason="PGBOUNCER IS NOT INSTALLED: nothing shows that the service works behind a pooler",
    ),
]

_CONFIG = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 1000
logfile = {folder}/log
"""


def _version() -> tuple[int, ...]:
    said = subprocess.run([str(BINARY), "--version"], capture_output=True, text=True, check=True)
    return tuple(map(int, re.findall(r"\d+", said.stdout)[:2]))


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


class Pooler:
    """A PgBouncer in front of the server under test, as the user who may reach that server."""

    def __init__(self, folder: Path, server_url: str, tracked_statements: int | None) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        parts = urlsplit(server_url)
        server = {
            "host": parts.hostname or dict(parse_qsl(parts.query)).get("host", "127.0.0.1"),
            "port": str(parts.port or 5432),
            "user": unquote(parts.username or "postgres"),
            "password": unquote(parts.password or ""),
        }
        said = " ".join(f"{name}={_quoted(value)}" for name, value in server.items() if value)
        self._config = folder / "pgbouncer.ini"
        config = _CONFIG.format(server=said, port=self.port, folder=folder)
        if tracked_statements is not None:
            config += f"max_prepared_statements = {tracked_statements}\n"
        self._config.write_text(config)
        self._user: str | None = None
        if os.geteuid() == 0:  # which PgBouncer refuses to be
            place = Path(server["host"])
            self._user = place.owner() if place.is_absolute() else "nobody"
            shutil.chown(folder, self._user)

    def url(self, database_url: str) -> str:
        """The database of this URL, by way of the pooler."""
        return f"postgresql://postgres@127.0.0.1:{self.port}{urlsplit(database_url).path}"

    def start(self) -> None:
        """Returns when it listens."""
        group = pwd.getpwnam(self._user).pw_gid if self._user else None
        self._process = subprocess.Popen(
            [str(BINARY), "--quiet", str(self._config)],
            user=self._user,
            group=group,
            extra_groups=[] if self._user else None,
        )
        for _ in range(500):
            assert self._process.poll() is None, f"pgbouncer ended: {self._log()}"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError(f"pgbouncer does not listen: {self._log()}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Returns when it has ended."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait(10)

    def _log(self) -> str:
        return self._config.with_name("log").read_text()


@contextmanager
def _started(server_url: str, tracked_statements: int | None) -> Iterator[Pooler]:
    folder = Path(tempfile.mkdtemp(prefix="task-manager-api-pgbouncer-"))
    pooler = Pooler(folder, server_url, tracked_statements)
    pooler.start()
    yield pooler
    pooler.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def pooler(server_url: str) -> Iterator[Pooler]:
    """One that does not track prepared statements."""
    with _started(server_url, 0 if _version() >= (1, 21) else None) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def tracking_pooler(server_url: str) -> Iterator[Pooler]:
    """One that does, which Debian's 1.18 cannot; by night there has to be one."""
    if _version() < (1, 22) and not os.environ.get("REQUIRE_TRACKING_POOLER"):
        pytest.skip("PGBOUNCER IS BEFORE 1.22: nothing shows that tracked statements work")
    with _started(server_url, 200) as pooler:
        yield pooler


@pytest.fixture
def way(request: pytest.FixtureRequest, database_url: str) -> str:
    """The URL of the test's database, by the way that a test is parametrized with."""
    if request.param == "direct":
        return database_url
    name = "pooler" if request.param == "pooled" else "tracking_pooler"
    chosen: Pooler = request.getfixturevalue(name)
    return chosen.url(database_url)
