"""Terraform says what fits the service; that it is safe and well formed, `make lint` says."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from annotated_types import Le
from cryptography.fernet import Fernet
from fastapi import FastAPI

from app.cli import cli
from app.config import Settings, WorkerSettings
from app.config.process import ProcessSettings
from app.database.deadline import DEADLINE
from app.doors import DOORS
from app.http.body import BODY_SECONDS
from app.http.pages import PAGES
from app.server.gunicorn import Server
from app.server.protocol import HEAD_SECONDS
from tests.deployment.hcl import FOLDER, blocks, parsed, resource
from tests.support.service import ROOT

FILES = sorted(
    path
    for path in FOLDER.rglob("*")
    if path.suffix in {".tf", ".tfvars", ".tfbackend"} and ".terraform" not in path.parts
)
# Read by uvicorn.
FOREIGN = {"FORWARDED_ALLOW_IPS"}


@pytest.fixture
def gunicorn(settings: Settings) -> Any:
    return Server(settings).cfg


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_file_parses(path: Path) -> None:
    assert parsed(path)


def test_it_is_formatted() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("NO TERRAFORM FOUND: install it to check the format")
    subprocess.run(["terraform", "fmt", "-check", "-recursive", FOLDER], check=True)


def test_the_balancer_closes_an_idle_connection_before_a_worker_does(gunicorn: Any) -> None:
    assert resource("aws_lb.this")["idle_timeout"] < gunicorn.keepalive


def test_a_target_drains_for_longer_than_the_slowest_request() -> None:
    slowest = HEAD_SECONDS + BODY_SECONDS + DEADLINE
    assert resource("aws_lb_target_group.api")["deregistration_delay"] > slowest


def test_nobody_is_killed_who_leaves_in_time(gunicorn: Any) -> None:
    bounds = Settings.model_fields["shutdown_delay"].metadata
    longest_delay = next(each.le for each in bounds if isinstance(each, Le))
    stop_timeout = blocks("locals")["stop_timeout"]
    assert stop_timeout > gunicorn.graceful_timeout > longest_delay


async def test_the_balancer_asks_for_liveness(client: Any) -> None:
    (check,) = resource("aws_lb_target_group.api")["health_check"]
    answer = await client.get(check["path"])
    assert str(answer.status_code) == check["matcher"]


def patterns(paths: Sequence[str]) -> list[str]:
    return [pattern for path in paths for pattern in (path, f"{path}/*")]


def lies_below(path: str, *roots: str) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)


def test_the_balancer_lets_pass_what_is_published_and_nothing_else(app: FastAPI) -> None:
    rules = blocks("locals")
    published = ["/", *patterns(rules["published_paths"])]
    served = {*app.openapi()["paths"], *(path for door in DOORS for path in door.paths), *PAGES}
    guarded = [door.paths for door in DOORS if "X-Admin-Key" in door.credential]
    private = {path for path in served if lies_below(path, *chain.from_iterable(guarded))}
    for path in served:
        passes = any(fnmatchcase(path, pattern) for pattern in published)
        assert passes == (path not in private), path
    for path in rules["published_paths"]:
        assert any(lies_below(each, path) for each in served), path
    for path in (*private, *("/", "//", "/admin/console/console.js")):
        for_administrators = any(fnmatchcase(path, each) for each in rules["private_paths"])
        assert for_administrators == lies_below(path, *private)
    (default,) = resource("aws_lb_listener.https")["default_action"]
    assert default["type"] == "fixed-response"


def test_containers_get_settings_that_exist() -> None:
    given = set(re.findall(r"\b[A-Z][A-Z_]+(?= =)", blocks("locals")["settings"]))
    for environment in ("staging", "production"):
        given |= parsed(FOLDER / f"environments/{environment}.tfvars")["settings"].keys()
    assert given <= {name.upper() for name in Settings.model_fields} | FOREIGN


def test_the_secret_holds_all_that_production_insists_on() -> None:
    names = blocks("variable")["secrets"]["default"]
    values = {
        name: "postgresql://host/db" if name.endswith("_URL") else token_hex(16) for name in names
    }
    given = {name.lower(): value for name, value in values.items()}
    assert given.keys() <= Settings.model_fields.keys()
    Settings.model_validate({"environment": "production", **given})


def test_migration_and_worker_start_with_the_secrets_that_they_are_told() -> None:
    used = blocks("locals")["used_secrets"]
    assert used == {
        "migrate": ["DATABASE_URL", "MIGRATION_DATABASE_URL"],
        "worker": ["DATABASE_URL", "ENCRYPTION_KEY"],
    }
    for role, kind in {"migrate": ProcessSettings, "worker": WorkerSettings}.items():
        given = {name.lower(): "postgresql://host/db" for name in used[role]}
        if "encryption_key" in given:
            given["encryption_key"] = Fernet.generate_key().decode()
        kind.model_validate({"environment": "production", **given})


def test_tasks_run_commands_that_exist() -> None:
    commands = re.findall(r'"-m", "app", "(\w+)"', blocks("locals")["commands"])
    assert set(commands) <= cli.commands.keys()


def test_every_alarm_has_a_runbook() -> None:
    runbook = (ROOT / "docs/operations.md").read_text()
    for name in blocks("locals")["alarms"]:
        assert f"\n### {name}\n" in runbook


@pytest.mark.parametrize("path", sorted(FOLDER.glob("environments/*.tfvars")), ids=str)
def test_environments_assign_variables_that_exist(path: Path) -> None:
    assert parsed(path).keys() <= blocks("variable").keys()
