"""A plain host: nginx in front of two instances under systemd."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deployment.hcl import blocks
from tests.support.service import ROOT

NGINX = (ROOT / "deploy/host/nginx.conf").read_text()
UNIT = ROOT / "deploy/host/task-manager-api@.service"


def test_nginx_lets_pass_what_the_balancer_lets_pass() -> None:
    published, guarded = re.findall(r"location ~ \^/\(([^)]+)\)\(/\|\$\)", NGINX)
    paths = {f"/{path}".replace("\\", "") for path in published.split("|")}
    assert paths == set(blocks("locals")["published_paths"])
    assert guarded == "admin|metrics"
    assert "location / { return 404; }" in NGINX


def test_the_unit_is_what_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NO SYSTEMD-ANALYZE FOUND: install systemd to check the unit")
    text = UNIT.read_text().replace("/srv/task-manager-api/.venv/bin/python", "/bin/true")
    unit = tmp_path / "task-manager-api@8001.service"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert "task-manager-api@8001.service:" not in done.stderr


def test_the_unit_waits_as_long_as_containers_do() -> None:
    unit = UNIT.read_text()
    assert "TimeoutStopSec=30" in unit
    assert "KillMode=mixed" in unit
