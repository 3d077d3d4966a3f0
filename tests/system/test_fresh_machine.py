"""What somebody meets who has just cloned the repository: `make run`, and commands beside it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from app.database import embedded
from tests.support.service import ROOT, await_answer, environment, free_port
from tests.system.test_cli import (
    UNREACHABLE,
    _is_alive,
    assert_one_clear_line,
    call,
    developing,
    folder,
    result_of,
)

__all__ = ["folder"]

UNREACHABLE_STORE = "http://127.0.0.1:1"
DEVELOPMENT = {"ENVIRONMENT": "development", "DATABASE_URL": UNREACHABLE}


def processes_of(parent: int, folder: Path) -> list[psutil.Process]:
    """The process, all that it started, and PostgreSQL's."""
    postmaster = int((folder / ".data/postgres/postmaster.pid").read_text().split()[0])
    process = psutil.Process(parent)
    return [process, *process.children(recursive=True), psutil.Process(postmaster)]


def survivors(processes: list[psutil.Process]) -> list[psutil.Process]:
    for _ in range(150):
        if not any(map(_is_alive, processes)):
            break
        time.sleep(0.1)
    return [process for process in processes if _is_alive(process)]


def is_free(port: int) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def test_what_dev_started_ends_when_it_is_killed(folder: Path) -> None:
    mirror = {"AWS_S3_BUCKET": "away", "AWS_ENDPOINT_URL": UNREACHABLE_STORE}
    with developing(folder, "--reload", **mirror) as (process, client, _):
        started = processes_of(process.pid, folder)
        assert any("worker" in each.cmdline() for each in started)
        process.kill()
        process.wait()
        assert survivors(started) == []
        assert is_free(client.base_url.port)


def test_what_make_run_started_ends_when_it_is_killed_also_in_a_folder_with_blanks(
    folder: Path,
) -> None:
    project, port = folder / "my project", free_port()
    project.mkdir()
    shutil.copy(ROOT / "Makefile", project)
    stamp = f"{sys.prefix}/.run"
    make = subprocess.Popen(
        ["make", "--no-print-directory", f"VENV={sys.prefix}", f"--old-file={stamp}", "run"],
        cwd=project,
        env=environment(PORT=str(port)),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    await_answer(f"http://localhost:{port}/health/ready", make)
    started = processes_of(make.pid, project)
    make.kill()
    make.wait()
    assert survivors(started) == []
    assert is_free(port)


def test_keys_beside_dev_are_those_of_its_database(folder: Path) -> None:
    with developing(folder, "--no-reload"):
        result_of("keys", "create", "beside", folder=folder)
        assert "\nbeside " in result_of("keys", "list", folder=folder)
        production = call("keys", "list", folder=folder, ENVIRONMENT="production")
        assert_one_clear_line(production, "DATABASE_URL is not set")
        assert_one_clear_line(call("serve", folder=folder), "DATABASE_URL is not set")
    assert_one_clear_line(call("keys", "list", folder=folder), "DATABASE_URL is not set")


@pytest.mark.parametrize("name", ["postgres", "postgres.lock", "postgres.log"])
def test_dev_names_the_file_that_is_in_its_way(folder: Path, name: str) -> None:
    in_the_way = folder / ".data" / name
    in_the_way.parent.mkdir()
    in_the_way.mkdir() if "." in name else in_the_way.touch()
    finished = call("dev", folder=folder, PORT=str(free_port()))
    assert_one_clear_line(finished, f"Cannot write to .data/{name}: ")


def test_postgresql_that_does_not_start_is_one_clear_line(folder: Path) -> None:
    embedded.start(folder / ".data/postgres").stop()
    (folder / ".data/postgres/postgresql.conf").write_text("no such setting")
    finished = call("dev", folder=folder, PORT=str(free_port()))
    assert_one_clear_line(finished, "postgres.log says why")


def test_serve_on_a_taken_port_is_one_clear_line_at_once(folder: Path) -> None:
    with closing(socket.create_server(("0.0.0.0", 0))) as taken:  # noqa: S104
        port = taken.getsockname()[1]
        started = time.monotonic()
        finished = call("serve", folder=folder, PORT=str(port), LOG_LEVEL="ERROR", **DEVELOPMENT)
        assert time.monotonic() - started < 20
    lines = [line for line in finished.stderr.splitlines() if "[warning" not in line]
    assert lines == [f"Error: Port {port} is taken."]
    assert "Connection in use" not in finished.stdout


def test_a_stop_complains_of_nothing(folder: Path) -> None:
    port, output = free_port(), folder / "output"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve"],
            env=environment(PORT=str(port), SHUTDOWN_DELAY="0", WEB_CONCURRENCY="2", **DEVELOPMENT),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    await_answer(f"http://localhost:{port}/health/live", process)
    process.terminate()
    assert process.wait(20) == 0
    # That there is no database is another story.
    lines = [line for line in output.read_text().splitlines() if "database_away" not in line]
    assert any("Shutting down" in line for line in lines)
    assert not any("rror" in line for line in lines)


def test_alembic_is_a_command_too(folder: Path) -> None:
    shutil.copytree(ROOT / "alembic", folder / "my project/alembic")
    shutil.copy(ROOT / "alembic.ini", folder / "my project")
    (folder / "my project/app").symlink_to(ROOT / "app")
    ours = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    finished = subprocess.run(
        [f"{sys.prefix}/bin/alembic", "upgrade", "head", "--sql"],
        env=ours,
        cwd=folder / "my project",
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "CREATE TABLE tasks" in finished.stdout
