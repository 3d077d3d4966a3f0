import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from app.commands.registry import commands
from app.services.keys import DEVELOPMENT_KEY
from tests.support.databases import named, run_statements
from tests.support.service import ROOT, ended, environment, free_port, start

UNREACHABLE = "postgresql://postgres@127.0.0.1:1/x"
Finished = subprocess.CompletedProcess[str]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A working folder that PostgreSQL's own user may enter, unlike pytest's."""
    path = Path(tempfile.mkdtemp(prefix="task-manager-api-"))
    yield path
    shutil.rmtree(path)


def call(*arguments: str, folder: Path, **settings: str) -> Finished:
    return ended(*arguments, folder=folder, env=environment(**settings))


def all_of(commands: list[str], folder: Path, **settings: str) -> list[Finished]:
    """The commands at once."""
    with ThreadPoolExecutor(4) as threads:
        return list(
            threads.map(lambda text: call(*text.split(), folder=folder, **settings), commands)
        )


def result_of(*arguments: str, folder: Path, **settings: str) -> str:
    finished = call(*arguments, folder=folder, **settings)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def assert_one_clear_line(finished: Finished, said: str) -> None:
    assert finished.returncode not in (0, -signal.SIGKILL)
    assert said in finished.stderr
    assert len(finished.stderr.strip().splitlines()) == 1
    assert "Traceback" not in finished.stdout + finished.stderr


def test_it_is_a_module_to_run() -> None:
    said = subprocess.check_output([sys.executable, "-m", "app", "-h"], cwd=ROOT)
    assert said.startswith(b"Usage: python -m app")


def test_every_command_explains_itself(folder: Path) -> None:
    explained = {
        "": "dev",
        "dev": "--reload",
        "serve": "gunicorn",
        "migrate": "up to date",
        "keys": "rotate",
        "keys create": "--enforce-ownership",
        "keys list": "newest first",
        "keys rotate": "--grace SECONDS",
        "keys revoke": "KEY_ID",
        "actions": "catalogue",
        "worker": "webhooks",
        "mirror rebuild": "anew",
    }
    texts = all_of([f"{command} --help" for command in explained], folder=folder)
    for finished, said in zip(texts, explained.values(), strict=True):
        assert (finished.returncode, finished.stderr) == (0, "")
        assert finished.stdout.startswith("Usage: python -m app")
        assert said in finished.stdout


def test_migrate_makes_an_empty_database_usable_and_may_be_repeated(
    folder: Path, server_url: str
) -> None:
    name = f"empty_{uuid4().hex}"
    url = named(server_url, name)
    run_statements(server_url, f"CREATE DATABASE {name}")
    for said in ("no revision → ", "up to date"):
        assert said in result_of("migrate", folder=folder, DATABASE_URL=url)
    made = json.loads(result_of("keys", "create", "first", folder=folder, DATABASE_URL=url))
    assert made["key_name"] == "first"
    run_statements(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def test_migrate_uses_the_direct_connection(folder: Path, database_url: str) -> None:
    settings = {"DATABASE_URL": UNREACHABLE, "MIGRATION_DATABASE_URL": database_url}
    assert "up to date" in result_of("migrate", folder=folder, **settings)


def test_actions_prints_the_catalogue_without_a_database(folder: Path) -> None:
    tools = json.loads(result_of("actions", folder=folder))["tools"]
    assert [tool["name"] for tool in tools] == [action.name for action in commands()]


@pytest.mark.parametrize(
    ("url", "commands", "said"),
    [
        ("", ["migrate", "keys list", "serve"], "DATABASE_URL is not set"),
        ("mysql://u:p@h/d", ["migrate", "keys list", "dev", "serve"], "must start with postgresql"),
        (UNREACHABLE, ["migrate", "keys list", "dev"], "Cannot use the database"),
    ],
    ids=["missing", "wrong", "unreachable"],
)
def test_unusable_database_url_is_one_clear_line(
    folder: Path, url: str, commands: list[str], said: str
) -> None:
    settings = {"DATABASE_URL": url, "PORT": str(free_port())}
    for finished in all_of(commands, folder, **settings):
        assert_one_clear_line(finished, said)


def test_missing_schema_is_one_clear_line(folder: Path, server_url: str) -> None:
    finished = call("keys", "list", folder=folder, DATABASE_URL=server_url)
    assert_one_clear_line(finished, "service_api_keys")


@pytest.mark.parametrize("command", ["migrate", "keys list"])
def test_missing_database_is_one_clear_line(folder: Path, server_url: str, command: str) -> None:
    url = named(server_url, "no_such_database")
    finished = call(*command.split(), folder=folder, DATABASE_URL=url)
    assert_one_clear_line(finished, 'database "no_such_database" does not exist')


def test_dev_on_a_taken_port_is_one_clear_line(folder: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finished = call("dev", folder=folder, PORT=str(port))
    assert_one_clear_line(finished, f"Port {port} is taken")
    assert list(folder.iterdir()) == []


def test_dev_in_an_unwritable_folder_is_one_clear_line(folder: Path) -> None:
    (folder / ".data").write_text("in the way")
    for place in (folder, Path("/proc")):
        finished = call("dev", folder=place, PORT=str(free_port()))
        assert_one_clear_line(finished, "Cannot write to .data")


@contextmanager
def developing(folder: Path, *options: str, **settings: str) -> Iterator[Any]:
    """`dev` in the folder, once it is healthy: its process, a client, what it printed."""
    port, output = free_port(), folder / "output"
    with output.open("wb") as printed:
        env, log = environment(PORT=str(port), **settings), printed.fileno()
        process = start("dev", *options, env=env, cwd=folder, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://localhost:{port}") as client:
            assert _is_healthy(client), output.read_text()
            yield process, client, output
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(20)


def _is_healthy(client: httpx.Client) -> bool:
    for _ in range(300):
        with suppress(httpx.TransportError):
            return client.get("/health/ready").status_code == 200
        time.sleep(0.1)
    return False


def _ctrl_c(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGINT)


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)  # whose parent may be slow to reap
    return False


def _execute_action(client: httpx.Client, action: str, **payload: str) -> Any:
    command = {"action": action, "user_id": "user_123", "payload": payload}
    answer = client.post("/execute", json=command, headers={"X-Service-Key": DEVELOPMENT_KEY})
    assert answer.status_code == 200
    return answer.json()["data"]


def test_dev_runs_its_own_postgresql_and_keeps_its_data(folder: Path) -> None:
    titles: list[str] = []
    for stop, option in ((_ctrl_c, "--reload"), (_interrupt, "--no-reload")):
        with developing(folder, option) as (process, client, output):
            printed = output.read_text()
            assert f"http://localhost:{client.base_url.port}/docs" in printed
            assert DEVELOPMENT_KEY in printed
            [url] = re.findall(r"postgresql://\S+", printed)
            run_statements(url, "SELECT count(*) FROM tasks")
            titles.insert(0, f"Made with {option}")
            _execute_action(client, "create-task", title=titles[0])
            tasks = _execute_action(client, "list-tasks")["tasks"]
            assert [task["title"] for task in tasks] == titles
            assert client.get("/docs").status_code == 200
            postmaster = (folder / ".data/postgres/postmaster.pid").read_text().split()[0]
            started = [
                psutil.Process(int(postmaster)),
                *psutil.Process(process.pid).children(recursive=True),
            ]
            stop(process)
            assert process.wait(10) == 0
            for _ in range(50):
                if not any(map(_is_alive, started)):
                    break
                time.sleep(0.1)
            assert not [child for child in started if _is_alive(child)]
            assert "Traceback" not in output.read_text()


def test_dev_with_a_database_url_starts_no_postgresql(folder: Path, database_url: str) -> None:
    with developing(folder, "--no-reload", DATABASE_URL=database_url) as (process, client, output):
        assert _execute_action(client, "list-tasks")["tasks"] == []
        assert database_url in output.read_text()
        assert not (folder / ".data").exists()
        _interrupt(process)
        assert process.wait(10) == 0
