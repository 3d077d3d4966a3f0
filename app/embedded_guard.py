"""Who uses the embedded PostgreSQL: the last one to leave stops it, or its guard does.

The guard is a process beside each server, for users that are killed. It runs as a script, without
the application, whose libraries would weigh four times as much.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# A pipe or terminal that the server inherited would stay open for as long as it runs.
QUIET: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
_SECONDS_BETWEEN_LOOKS = 0.5


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


def socket_of(folder: Path) -> Path | None:
    """The Unix socket of the server that runs on the folder, or did."""
    with suppress(OSError, IndexError):
        lines = (folder / "postmaster.pid").read_text().splitlines()
        return Path(lines[4], f".s.PGSQL.{lines[3]}")
    return None


def stop(folder: Path, pg_ctl: str, user: str | None) -> None:
    """Stops the server, unless it ended by itself, and removes a folder made for its socket."""
    socket = socket_of(folder)
    command = [pg_ctl, "-w", "-m", "fast", "-D", str(folder), "stop"]
    subprocess.run(command, user=user, check=False, **QUIET)  # noqa: S603
    if socket is not None and socket.parent != folder:
        with suppress(OSError):
            socket.parent.rmdir()


def _guard(folder: Path, pg_ctl: str, user: str | None) -> None:
    users = Users(folder)
    while True:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        with users.turn():
            if users.leave():
                return stop(folder, pg_ctl, user)


if __name__ == "__main__":
    _guard(Path(sys.argv[1]), sys.argv[2], sys.argv[3] or None)
