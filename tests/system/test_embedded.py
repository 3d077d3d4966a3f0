"""The PostgreSQL that `make run` and the tests bring along, on machines unlike ours."""

import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from app.database import embedded
from tests.support.service import environment
from tests.system.test_cli import _is_alive, folder

__all__ = ["folder"]

USE = """
import asyncio, sys, pathlib
from app.database import embedded
server = embedded.start(pathlib.Path(sys.argv[1]))
print(asyncio.run(embedded.create_database(server)), server.pid, flush=True)
sys.stdin.read()
"""


def use(folder: Path, **settings: str) -> tuple["subprocess.Popen[str]", str, int]:
    """A process that uses the server on the folder, the database's URL, the server's process."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE, str(folder)],
        env=environment(**settings),
        cwd=folder.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    url, pid = process.stdout.readline().split()
    return process, url, int(pid)


def leave(process: "subprocess.Popen[str]") -> None:
    process.communicate()
    assert process.returncode == 0


def has_ended(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return not _is_alive(psutil.Process(pid))
    return True


def ends(pid: int) -> bool:
    for _ in range(100):
        if has_ended(pid):
            return True
        time.sleep(0.1)
    return False


async def answers(url: str) -> bool:
    connection = await asyncpg.connect(url)
    await connection.close()
    return True


@pytest.mark.parametrize("name", ["my data", 'it\'s; "data" $HOME `%20`'])
async def test_it_starts_in_a_folder_of_any_name(folder: Path, name: str) -> None:
    server = embedded.start(folder / name / "postgres")
    assert await answers(await embedded.create_database(server))
    assert {path.name for path in (folder / name).iterdir()} == {
        *("postgres", "postgres.lock", "postgres.log", "postgres.turn")
    }
    pid = server.pid
    server.stop()
    assert has_ended(pid)


async def test_a_path_too_long_for_a_socket_gets_a_folder_that_is_private(folder: Path) -> None:
    short = folder / ("x" * (embedded.LONGEST_SOCKET - len(os.fsencode(folder)) - 17))
    for parent, in_place in ((short, True), (short.with_name(short.name + "x"), False)):
        server = embedded.start(parent / "p")
        place = server.socket.parent
        assert (place == server.folder) == in_place
        status = place.stat()
        assert stat.S_IMODE(status.st_mode) == 0o700
        assert status.st_uid == server.folder.stat().st_uid
        assert await answers(await embedded.create_database(server))
        server.stop()
        assert place.exists() == in_place


async def test_the_last_of_its_users_stops_it(folder: Path) -> None:
    first, _, pid = use(folder / "postgres")
    second, url, same = use(folder / "postgres")
    assert pid == same
    leave(first)
    assert await answers(url)
    leave(second)
    assert has_ended(pid)


async def test_it_outlives_nobody_who_is_killed(folder: Path) -> None:
    first, _, pid = use(folder / "postgres")
    second, url, _ = use(folder / "postgres")
    first.kill()
    time.sleep(1)
    assert await answers(url)
    second.send_signal(signal.SIGKILL)
    assert ends(pid)
    for process in (first, second):
        process.communicate()
    third, url, _ = use(folder / "postgres")
    assert await answers(url)
    leave(third)


async def test_what_is_in_folders_that_users_share_is_in_nobodys_way(folder: Path) -> None:
    # As another user's files are, which we may not open.
    for shared in ("run", "tmp"):
        (folder / shared / ".lockfile").mkdir(parents=True)
    places = {"XDG_RUNTIME_DIR": str(folder / "run"), "TMPDIR": str(folder / "tmp")}
    process, url, _ = use(folder / "postgres", **places)
    assert await answers(url)
    leave(process)
    assert [path.name for path in folder.glob("[rt]*/*")] == [".lockfile"] * 2
