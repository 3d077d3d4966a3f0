"""Whoever serves accepts published secrets only where development is written down."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.services.keys import DEVELOPMENT_KEY
from tests.support.service import ended, environment, free_port, running

REAL = {"ADMIN_API_KEY": "5f0c4c1d9be84a7fa3e1", "API_KEY_SECRET": "d41d8cd98f00b204e98009"}
NOWHERE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "k",
    "AWS_SECRET_ACCESS_KEY": "s",
}
SERVERS = {
    "serve": ("-m", "app", "serve"),
    "uvicorn": ("-m", "uvicorn", "app.main:app"),
    "factory": ("-m", "uvicorn", "--factory", "app.main:create_app"),
}


def start(*command: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command in a folder without `.env`, which is expected to end by itself."""
    env = environment(DATABASE_URL="postgresql://u:p@127.0.0.1:1/x", **settings)
    if command[:2] == ("-m", "app"):
        return ended(*command[2:], env=env, folder=folder)
    return subprocess.run(
        [sys.executable, *command],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    "settings",
    [
        {"ENVIRONMENT": ""},
        {"ENVIRONMENT": "", "ADMIN_API_KEY": "dev-admin-key-replace-in-production"},
        {"ENVIRONMENT": "", **REAL, "TASK_API_KEY": "demo-secret-key-change-in-production"},
    ],
    ids=["defaults", "admin", "door"],
)
def test_published_secrets_are_refused_unless_development_is_written_down(
    tmp_path: Path, server: str, settings: dict[str, str]
) -> None:
    finished = start(*SERVERS[server], folder=tmp_path, PORT=str(free_port()), **settings)
    assert finished.returncode == 1
    [line] = finished.stderr.splitlines()
    assert line.startswith("Configuration error: ")
    assert line.endswith("write ENVIRONMENT=development to serve with published secrets")
    assert finished.stdout == ""


def served(database_url: str, **settings: str) -> tuple[int, int]:
    """The statuses that the development key and the page of the documentation get."""
    values = {"DATABASE_URL": database_url, "SHUTDOWN_DELAY": "0", "LOG_LEVEL": "ERROR", **settings}
    with running("serve", **values) as (url, _):
        headers = {"X-Service-Key": DEVELOPMENT_KEY}
        stats = httpx.get(f"{url}/stats?user_id=ann", headers=headers)
        return stats.status_code, httpx.get(f"{url}/docs").status_code


def test_without_a_word_real_secrets_are_served_as_in_production(database_url: str) -> None:
    assert served(database_url, ENVIRONMENT="", **REAL) == (401, 404)


def test_development_that_is_written_down_takes_the_published_keys(database_url: str) -> None:
    assert served(database_url, ENVIRONMENT="development") == (200, 200)


def test_dev_writes_it_down_itself(database_url: str) -> None:
    settings = {"ENVIRONMENT": "", "DATABASE_URL": database_url}
    with running("dev", "--no-reload", **settings) as (url, _):
        headers = {"X-Service-Key": DEVELOPMENT_KEY}
        assert httpx.get(f"{url}/stats?user_id=ann", headers=headers).status_code == 200


def test_development_may_be_written_in_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ENVIRONMENT=development\n")
    program = "from app.config import settings_to_serve; print(settings_to_serve().environment)"
    finished = start("-c", program, folder=tmp_path, ENVIRONMENT="")
    assert (finished.returncode, finished.stdout) == (0, "development\n")


@pytest.mark.parametrize("command", [("keys", "list"), ("migrate",), ("actions",)])
def test_commands_that_serve_nobody_need_not_be_told(tmp_path: Path, command: Any) -> None:
    finished = start("-m", "app", *command, folder=tmp_path, ENVIRONMENT="")
    assert "Configuration error" not in finished.stderr


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_migration_and_mirror_begin_without_the_services_secrets(
    tmp_path: Path, environment: str
) -> None:
    migration = start("-m", "app", "migrate", folder=tmp_path, ENVIRONMENT=environment)
    assert "Cannot use the database" in migration.stderr
    settings = {"ENVIRONMENT": environment, "AWS_S3_BUCKET": "bucket", **NOWHERE}
    rebuild = start("-m", "app", "mirror", "rebuild", folder=tmp_path, **settings)
    assert "Cannot use the bucket" in rebuild.stderr


def test_serving_tells_of_doubtful_settings_once_for_all_workers(tmp_path: Path) -> None:
    settings = {"ENVIRONMENT": "production", "WEB_CONCURRENCY": "2", "SMTP_USERNAME": "w", **REAL}
    settings |= {"CORS_ORIGINS": "https://cathouse.example", "SHUTDOWN_DELAY": "0"}
    log = tmp_path / "log"
    settings["DATABASE_URL"] = "postgresql://u:p@127.0.0.1:1/x"
    with running("serve", output=str(log), **settings):
        pass
    assert log.read_text().count("doubtful_setting") == 1
