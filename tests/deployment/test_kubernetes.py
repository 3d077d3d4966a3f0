"""The manifests fit the service and one another; `make lint` checks them against the API."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from httpx import AsyncClient

from app.__main__ import cli
from app.config import Settings
from app.server import Server
from tests.deployment.dockerfile import stages
from tests.service import ROOT

FOLDER = ROOT / "deploy/k8s"
KUSTOMIZATIONS = sorted(FOLDER.rglob("kustomization.yaml"))


def manifest(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return content


DEPLOYMENT, JOB = manifest("deployment")["spec"], manifest("migration/job")["spec"]
PODS = {"api": DEPLOYMENT["template"], "migration": JOB["template"]}
(API,) = DEPLOYMENT["template"]["spec"]["containers"]
(CONFIG,) = manifest("kustomization")["configMapGenerator"]
SETTINGS = dict(literal.split("=", 1) for literal in CONFIG["literals"])


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=str)
def test_a_kustomization_lists_all_that_lies_beside_it(path: Path) -> None:
    beside = {each.name for each in path.parent.glob("*.yaml")} - {path.name}
    assert set(yaml.safe_load(path.read_text())["resources"]) == beside


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=str)
def test_kustomize_builds_it(path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("NO KUBECTL FOUND: install it to build the kustomizations")
    built = subprocess.run(["kubectl", "kustomize", path.parent], capture_output=True, check=True)
    kinds = {each["kind"] for each in yaml.safe_load_all(built.stdout)}
    assert kinds & {"Deployment", "Job"}


@pytest.mark.parametrize(
    ("selector", "pods"),
    [
        (DEPLOYMENT["selector"]["matchLabels"], ["api"]),
        (manifest("service")["spec"]["selector"], ["api"]),
        (manifest("poddisruptionbudget")["spec"]["selector"]["matchLabels"], ["api"]),
        (manifest("networkpolicy")["spec"]["podSelector"]["matchLabels"], ["api", "migration"]),
    ],
)
def test_selectors_select_what_they_should(selector: dict[str, str], pods: list[str]) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in PODS.items()}
    assert [name for name in labels if labels[name].items() >= selector.items()] == pods


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_pods_run_as_the_image_does_and_write_nothing(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["securityContext"]["runAsUser"] == int(stages()["production"].last("USER"))
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_secrets_come_by_reference_and_settings_exist() -> None:
    assert SETTINGS.keys() - {"FORWARDED_ALLOW_IPS"} <= {
        name.upper() for name in Settings.model_fields
    }
    for pod in PODS.values():
        assert {"secretRef": {"name": "task-manager-api"}} in pod["spec"]["containers"][0][
            "envFrom"
        ]


def test_ports_are_those_the_service_is_told() -> None:
    ports = {port["name"]: str(port["containerPort"]) for port in API["ports"]}
    assert ports == {"http": SETTINGS["PORT"], "metrics": SETTINGS["METRICS_PORT"]}


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
async def test_probes_ask_what_answers(client: AsyncClient, probe: str) -> None:
    assert (await client.get(API[probe]["httpGet"]["path"])).status_code == 200


def test_nobody_is_killed_who_leaves_in_time(settings: Settings) -> None:
    grace: int = DEPLOYMENT["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > Server(settings).cfg.graceful_timeout > float(SETTINGS["SHUTDOWN_DELAY"])


def test_the_migration_is_a_command_that_exists() -> None:
    *python, command = JOB["template"]["spec"]["containers"][0]["args"]
    assert python == ["python", "-m", "app"]
    assert command in cli.commands


def test_all_pods_together_stay_below_neons_smallest_limit(settings: Settings) -> None:
    most = manifest("horizontalpodautoscaler")["spec"]["maxReplicas"]
    surge = DEPLOYMENT["strategy"]["rollingUpdate"]["maxSurge"]
    workers = int(API["resources"]["limits"]["cpu"])
    assert (most + surge) * workers * (settings.database_pool_size + 1) <= 97
