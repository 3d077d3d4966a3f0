"""Processes of `python -m app` that start in no time, forked off one that has imported it."""

import atexit
import gc
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LONGEST = 1 << 18
_READY = b"."


def can_become(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether a fork is as good as a process that is started for itself."""
    # These are read by what is imported.
    early = any(re.match("OTEL_|FORWARDED_ALLOW_IPS", name) for name in environment)
    return sys.platform == "linux" and "--reload" not in arguments and not early


class Forked(subprocess.Popen[bytes]):
    """A process that another one forked off; it reports how that ended."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stdout: int,
        stderr: int = 2,
    ) -> None:
        self.args, self.returncode = arguments, None
        self.stdin = self.stdout = self.stderr = None
        self._child_created = False  # or Popen would look after it
        self._report = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        shares = env.get("WEB_CONCURRENCY", "1") != "1" or "METRICS_PORT" in env
        self._report.connect(_nursery("libraries" if shares else "everything"))
        wanted = json.dumps([list(arguments), dict(env), str(cwd)]).encode()
        socket.send_fds(self._report, [wanted], [stdout, stderr])
        self.pid = int(self._report.recv(_LONGEST))

    def poll(self) -> int | None:
        """What it ended with, if it has."""
        return self._await(0)

    def wait(self, timeout: float | None = None) -> int:
        """What it ended with; TimeoutExpired where it takes longer."""
        code = self._await(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _await(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._report], [], [], timeout)[0]:
            self.returncode = int(self._report.recv(_LONGEST))
            self._report.close()
        return self.returncode


@cache
def _nursery(imported: str) -> str:
    """Where the process listens that all others are forked off.

    Figures are made when they are imported, in another way where several processes add them up:
    these begin with the libraries, and what counts nothing.
    """
    folder = tempfile.TemporaryDirectory(prefix="task-manager-api-forks-")
    address = f"{folder.name}/socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.forks", imported, address],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.read(1) == _READY
    atexit.register(folder.cleanup)
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
    return address


def _import_libraries() -> None:
    import uvicorn_worker  # noqa: F401
    from fastapi_offline import FastAPIOffline  # noqa: F401

    import app.models.user_data
    import app.services.keys  # noqa: F401


def _import_everything() -> None:
    import app.database.migrations
    import app.main
    import app.server.gunicorn  # noqa: F401
    from app.doors import DOORS

    for door in DOORS:
        if door.name != "agents":  # which brings half as much again
            door.routers()


def _await_errand(address: str) -> None:
    """Returns in each fork, once it has the arguments, folder and environment asked for."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(address)
        listener.listen()
        os.write(1, _READY)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0 and _forked(connection):
                    return
    os._exit(0)


def _forked(connection: socket.socket) -> bool:
    """Looks after a fork, and ends with it; True in that itself."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    wanted, streams, *_ = socket.recv_fds(connection, _LONGEST, 2)
    if pid := os.fork():
        for stream in (0, 1, 2, *streams):
            os.close(stream)
        connection.send(b"%d" % pid)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        try:
            connection.send(b"%d" % code)
        finally:
            os._exit(0)
    _become(*json.loads(wanted))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    return True


def _become(arguments: list[str], environment: dict[str, str], folder: str) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments


if __name__ == "__main__":
    from app.cli import cli

    _import_libraries()
    if sys.argv[1] == "everything":
        _import_everything()
    gc.freeze()
    _await_errand(sys.argv[2])
    cli(prog_name="python -m app")
