"""A plain host: nginx in front of two instances under systemd."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.cli import cli
from tests.deployment.hcl import blocks
from tests.support.service import ROOT

NGINX = (ROOT / "deploy/host/nginx.conf").read_text()
API, WORKER = (
    ROOT / f"deploy/host/{name}.service" for name in ("task-manager-api@", "task-manager-worker")
)
each_unit = pytest.mark.parametrize("file", [API, WORKER], ids=lambda file: file.stem)


def test_nginx_lets_pass_what_the_balancer_lets_pass() -> None:
    published, guarded = re.findall(r"location ~ \^/\(([^)]+)\)\(/\|\$\)", NGINX)
    paths = {f"/{path}".replace("\\", "") for path in published.split("|")}
    assert paths == set(blocks("locals")["published_paths"])
    assert guarded == "admin|metrics"
    assert "location / { return 404; }" in NGINX


@each_unit
def test_a_unit_is_what_systemd_understands(file: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NO SYSTEMD-ANALYZE FOUND: install systemd to check the unit")
    text = file.read_text().replace("/srv/task-manager-api/.venv/bin/python", "/bin/true")
    unit = tmp_path / file.name.replace("@", "@8001")
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert f"{unit.name}:" not in done.stderr


@each_unit
def test_a_unit_waits_as_long_as_containers_do(file: Path) -> None:
    unit = file.read_text()
    assert "TimeoutStopSec=30" in unit
    assert "KillMode=mixed" in unit


def test_the_worker_is_held_as_tightly_as_the_api() -> None:
    held = [file.read_text().partition("TimeoutStopSec")[2] for file in (API, WORKER)]
    assert held[0] == held[1]


def test_each_unit_runs_a_command_that_exists() -> None:
    for file in (API, WORKER):
        (command,) = re.findall(r"^ExecStart=.* -m app (\w+)$", file.read_text(), re.MULTILINE)
        assert command in cli.commands
