"""What all processes of a run share: a folder in memory, and a migrated PostgreSQL cluster."""

import asyncio
import atexit
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.database import embedded, migrations
from tests.support.databases import run_statements

_VARIABLE = "TEST_CLUSTER"
_CARE = ("fsync", "full_page_writes")
_MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder below it
_ROOM = 4 * 2**30


@contextmanager
def offered() -> Iterator[None]:
    """Within it every process of the run, which inherits the environment, shares one cluster.

    Temporary files are in memory where there is room. A database is hundreds of files; where they
    are made and removed by the thousand, a file system on a disk looks for free places longer than
    PostgreSQL computes.
    """
    if _VARIABLE in os.environ:
        yield
        return
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    folder = tempfile.mkdtemp(prefix="task-manager-api-", dir=_MEMORY if roomy else None)
    # What others leave there until the process ends, they remove before.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with pytest.MonkeyPatch.context() as monkeypatch:
        Path(folder).chmod(0o711)  # where we are root, PostgreSQL is somebody else
        monkeypatch.setenv(_VARIABLE, folder)
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield


@contextmanager
def place() -> Iterator[Path]:
    """A folder of one's own for servers."""
    with tempfile.TemporaryDirectory(
        prefix="task-manager-api-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def copy_to(folder: Path) -> None:
    """Fills the folder with the cluster, on which a server is to be started."""
    shared = Path(os.environ[_VARIABLE])
    with (shared / "turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (shared / "made").exists():
            _make(shared / "cluster")
            (shared / "made").touch()
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", shared / "cluster", folder], check=True)


def _make(folder: Path) -> None:
    server = embedded.start(folder)
    url = asyncio.run(embedded.create_database(server))
    # Processes are killed in the tests, machines are not.
    run_statements(url, *(f"ALTER SYSTEM SET {name} = off" for name in _CARE))
    migrations.upgrade(url)
    server.stop()
