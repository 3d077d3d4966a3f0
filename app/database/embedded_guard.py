"""Runs the embedded PostgreSQL while somebody uses it, also when all its users are killed.

A process of its own: `python embedded_guard.py <folder> <folder of its socket> <system user or
nothing> <program>`. It says a line once the server takes connections. As a script it does without
the application, whose libraries would weigh four times as much.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SECONDS_BETWEEN_LOOKS = 0.5
_READY = {"ready", "standby"}


class Users:
    """The users of the server on a folder: each holds a lock, which ends with its process."""

    def __init__(self, folder: Path) -> None:
        self._turn, self._lock = (
            os.open(f"{folder}.{name}", os.O_RDWR | os.O_CREAT, 0o600) for name in ("turn", "lock")
        )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Whoever joins, leaves, starts or stops the server does it alone."""
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def join(self) -> None:
        """Makes this process a user."""
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Makes it none; says whether nobody uses the server any more."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        with suppress(BlockingIOError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            return True
        return False


def said_by_server(folder: Path) -> list[str]:
    """What the server on the folder wrote about itself, if it did: see PostgreSQL's pidfile.h."""
    with suppress(OSError):
        return [line.strip() for line in (folder / "postmaster.pid").read_text().splitlines()]
    return []


def _started(folder: Path, socket: Path, user: str, program: str) -> "subprocess.Popen[bytes]":
    quoted = str(socket).replace('"', '""')
    return subprocess.Popen(  # noqa: S603 - without a shell, so a path may have any name
        [program, "-D", str(folder), "-h", "", "-k", f'"{quoted}"'],
        user=user or None,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )


def _await_ready(folder: Path, server: "subprocess.Popen[bytes]") -> None:
    said: list[str] = []
    while server.poll() is None and (said[:1] != [str(server.pid)] or said[-1] not in _READY):
        time.sleep(0.02)
        said = said_by_server(folder)


def _guard(folder: Path, server: "subprocess.Popen[bytes]") -> None:
    users = Users(folder)
    while server.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            server.wait(_SECONDS_BETWEEN_LOOKS)
        with users.turn():
            if users.leave():
                server.send_signal(signal.SIGINT)  # at once, and cleanly
                server.wait()


def main(folder: Path, socket: Path, user: str, program: str) -> None:
    """Starts the server, and returns when it has ended."""
    server = _started(folder, socket, user, program)
    _await_ready(folder, server)
    if server.returncode is None:
        print("ready", flush=True)  # noqa: T201
    _guard(folder, server)
    if socket != folder:
        with suppress(OSError):
            socket.rmdir()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
