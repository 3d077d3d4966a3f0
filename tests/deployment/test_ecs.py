"""What a deployment does, in which order, and where it goes back to."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import ROOT

IMAGE = "registry/staging:abc"
OLD = {"api": "staging-api:old", "worker": "staging-worker:old"}


class Cluster:
    """An ECS of files, and deployments to it."""

    def __init__(self, folder: Path, services: dict[str, str]) -> None:
        self._folder = folder
        self._state = folder / "state.json"
        self._state.write_text(json.dumps({"calls": [], "services": services}))
        command = folder / "aws"
        script = Path(__file__).with_name("aws.py")
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
        command.chmod(0o755)

    def deploy(self, fault: str = "") -> subprocess.CompletedProcess[str]:
        """Runs the deployment's script."""
        return subprocess.run(
            [sys.executable, ROOT / "deploy/ecs.py", "staging", IMAGE],
            env={"PATH": str(self._folder), "STATE": str(self._state), "FAULT": fault},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def services(self) -> dict[str, str]:
        """Which task definition each service runs."""
        return dict(json.loads(self._state.read_text())["services"])

    def calls(self, *commands: str) -> list[list[str]]:
        """The calls of these commands, in order."""
        calls: list[list[str]] = json.loads(self._state.read_text())["calls"]
        return [call for call in calls if call[0] in commands]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path, OLD)


def options(call: list[str]) -> dict[str, Any]:
    return dict(zip(call[1::2], call[2::2], strict=False))


def test_the_schema_is_migrated_before_any_service_changes(cluster: Cluster) -> None:
    assert cluster.deploy().returncode == 0
    changes = cluster.calls("run-task", "update-service")
    assert [call[0] for call in changes] == ["run-task", "update-service", "update-service"]
    migration = options(changes[0])
    assert migration["--task-definition"] == f"staging-migrate:{IMAGE}"
    assert "subnet-1" in migration["--network-configuration"]
    assert [options(call)["--service"] for call in changes[1:]] == ["api", "worker"]
    assert cluster.services == {
        "api": f"staging-api:{IMAGE}",
        "worker": f"staging-worker:{IMAGE}",
    }


def test_a_cluster_without_worker_is_fine(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, {"api": OLD["api"]})
    assert cluster.deploy().returncode == 0
    assert cluster.services == {"api": f"staging-api:{IMAGE}"}


def test_a_failed_migration_leaves_every_service_as_it_was(cluster: Cluster) -> None:
    done = cluster.deploy("migration")
    assert (done.returncode, cluster.services) == (1, OLD)
    assert "The migration failed: It ended." in done.stderr


@pytest.mark.parametrize("fault", ["timeout", "circuit-breaker"])
def test_a_service_that_stays_unhealthy_goes_back_and_fails_the_deployment(
    cluster: Cluster, fault: str
) -> None:
    done = cluster.deploy(fault)
    assert (done.returncode, cluster.services) == (1, OLD)
    assert "api did not become healthy; going back to staging-api:old." in done.stderr


def test_a_cluster_that_terraform_has_not_made_is_named(tmp_path: Path) -> None:
    done = Cluster(tmp_path, {}).deploy()
    assert done.returncode == 1
    assert "staging has no service api" in done.stderr
