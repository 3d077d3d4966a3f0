"""An initialized and migrated PostgreSQL cluster, made once for all servers of a run."""

import asyncio
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.database import embedded, migrations
from tests.support.databases import run_statements

_VARIABLE = "TEST_CLUSTER"
_CARE = ("fsync", "full_page_writes")


@contextmanager
def offered() -> Iterator[None]:
    """Within it every process of the run, which inherits the environment, shares one cluster."""
    if _VARIABLE in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="task-manager-api-cluster-") as folder:
        os.environ[_VARIABLE] = folder
        yield
        del os.environ[_VARIABLE]


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
