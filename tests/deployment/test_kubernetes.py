"""The manifests fit the service and one another; `make lint` checks them against the API."""

import shutil
import subprocess
import sys
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml
from httpx import AsyncClient

from app.cli import cli
from app.config import Settings, WorkerSettings
from app.config.process import ProcessSettings
from app.server.gunicorn import Server
from app.worker import moods, webhooks
from app.worker.consumer import CONNECTIONS
from tests.deployment.dockerfile import stages
from tests.deployment.hcl import blocks
from tests.support.service import ROOT, await_answer, environment, free_port

FOLDER = ROOT / "deploy/k8s"
KUSTOMIZATIONS = sorted(FOLDER.rglob("kustomization.yaml"))


def manifest(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return content


def settings_of(kustomization: str) -> dict[str, str]:
    (config,) = manifest(kustomization)["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in config["literals"])


DEPLOYMENT, JOB = manifest("deployment")["spec"], manifest("migration/job")["spec"]
WORKER_DEPLOYMENT = manifest("worker/deployment")["spec"]
PODS = {
    "api": DEPLOYMENT["template"],
    "migration": JOB["template"],
    "worker": WORKER_DEPLOYMENT["template"],
}
(API,) = DEPLOYMENT["template"]["spec"]["containers"]
(WORKER,) = WORKER_DEPLOYMENT["template"]["spec"]["containers"]
SETTINGS, WORKER_SETTINGS = settings_of("kustomization"), settings_of("worker/kustomization")
PROBES = ["startupProbe", "livenessProbe", "readinessProbe"]


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
        (WORKER_DEPLOYMENT["selector"]["matchLabels"], ["worker"]),
        (manifest("service")["spec"]["selector"], ["api"]),
        (manifest("poddisruptionbudget")["spec"]["selector"]["matchLabels"], ["api"]),
        (manifest("networkpolicy")["spec"]["podSelector"]["matchLabels"], list(PODS)),
    ],
)
def test_selectors_select_what_they_should(selector: dict[str, str], pods: list[str]) -> None:
    labels = {name: pod["metadata"]["labels"] for name, pod in PODS.items()}
    assert [name for name in labels if labels[name].items() >= selector.items()] == pods


def test_the_ingress_lets_pass_what_the_balancer_does() -> None:
    (rule,) = manifest("ingress")["spec"]["rules"]
    index, *others = [(each["path"], each["pathType"]) for each in rule["http"]["paths"]]
    assert index == ("/", "Exact")
    assert others == [(path, "Prefix") for path in blocks("locals")["published_paths"]]


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_pods_run_as_the_image_does_and_write_nothing(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["securityContext"]["runAsUser"] == int(stages()["production"].last("USER"))
    assert container["securityContext"]["readOnlyRootFilesystem"]


@pytest.mark.parametrize("settings", [SETTINGS, WORKER_SETTINGS], ids=["api", "worker"])
def test_settings_exist(settings: dict[str, str]) -> None:
    known = {name.upper() for name in Settings.model_fields}
    assert settings.keys() - {"FORWARDED_ALLOW_IPS"} <= known


@pytest.mark.parametrize(
    ("pod", "own", "told"),
    [
        ("api", "doors", ["DATABASE_URL", "ADMIN_API_KEY", "API_KEY_SECRET"]),
        ("migration", None, ["DATABASE_URL", "MIGRATION_DATABASE_URL"]),
        ("worker", "worker", ["DATABASE_URL", "ENCRYPTION_KEY"]),
    ],
)
def test_secrets_come_by_reference_and_each_pod_is_told_what_it_uses(
    pod: str, own: str | None, told: list[str]
) -> None:
    (container,) = PODS[pod]["spec"]["containers"]
    whole = [each["secretRef"] for each in container.get("envFrom", ()) if "secretRef" in each]
    assert whole == ([{"name": f"task-manager-{own}", "optional": True}] if own else [])
    single = {
        each["name"]: each["valueFrom"]["secretKeyRef"]
        for each in container["env"]
        if "secretKeyRef" in each["valueFrom"]
    }
    assert list(single) == told
    doors = {"ENCRYPTION_KEY"}
    assert all(
        (ref["name"], ref["key"])
        == ("task-manager-doors" if name in doors else "task-manager-api", name)
        for name, ref in single.items()
    )


@pytest.mark.parametrize(
    ("pod", "kind"), [("api", Settings), ("migration", ProcessSettings), ("worker", WorkerSettings)]
)
def test_a_pod_starts_with_what_it_is_told(pod: str, kind: type[ProcessSettings]) -> None:
    (container,) = PODS[pod]["spec"]["containers"]
    refs = [each for each in container["env"] if "secretKeyRef" in each["valueFrom"]]
    names = [each["name"] for each in refs if "optional" not in each["valueFrom"]["secretKeyRef"]]
    values = {name: "postgresql://h/d" if name.endswith("URL") else token_hex(16) for name in names}
    given = {name.lower(): value for name, value in values.items()}
    kind.model_validate({**given, "environment": "production"})


def test_ports_are_those_the_service_is_told() -> None:
    ports = {port["name"]: str(port["containerPort"]) for port in API["ports"]}
    assert ports == {"http": SETTINGS["PORT"], "metrics": SETTINGS["METRICS_PORT"]}
    (port,) = WORKER["ports"]
    assert port == {"name": "metrics", "containerPort": int(WORKER_SETTINGS["METRICS_PORT"])}


@pytest.mark.parametrize("probe", PROBES)
async def test_probes_ask_what_answers(client: AsyncClient, probe: str) -> None:
    assert (await client.get(API[probe]["httpGet"]["path"])).status_code == 200


def test_the_worker_answers_its_probes_and_leaves_in_time(database_url: str) -> None:
    port = free_port()
    settings = {**WORKER_SETTINGS, "METRICS_PORT": str(port), "ENVIRONMENT": "development"}
    command = [sys.executable, *WORKER["args"][1:]]
    worker = subprocess.Popen(command, env=environment(DATABASE_URL=database_url, **settings))
    try:
        for probe in PROBES:
            assert WORKER[probe]["httpGet"]["port"] == "metrics"
            await_answer(f"http://localhost:{port}{WORKER[probe]['httpGet']['path']}", worker)
    finally:
        worker.terminate()
        code = worker.wait(WORKER_DEPLOYMENT["template"]["spec"]["terminationGracePeriodSeconds"])
    assert code == 0


def test_nobody_is_killed_who_leaves_in_time(settings: Settings) -> None:
    grace: int = DEPLOYMENT["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > Server(settings).cfg.graceful_timeout > float(SETTINGS["SHUTDOWN_DELAY"])


@pytest.mark.parametrize("pod", ["migration", "worker"])
def test_pods_run_commands_that_exist(pod: str) -> None:
    *python, command = PODS[pod]["spec"]["containers"][0]["args"]
    assert python == ["python", "-m", "app"]
    assert command in cli.commands


def test_all_pods_together_stay_below_neons_smallest_limit(settings: Settings) -> None:
    most = manifest("horizontalpodautoscaler")["spec"]["maxReplicas"]
    surge = DEPLOYMENT["strategy"]["rollingUpdate"]["maxSurge"]
    workers = int(API["resources"]["limits"]["cpu"])
    serving = (most + surge) * workers * (settings.database_pool_size + 1)
    surge = WORKER_DEPLOYMENT["strategy"]["rollingUpdate"]["maxSurge"]
    connections = CONNECTIONS + webhooks.CONNECTIONS + moods.CONNECTIONS
    mirroring = (WORKER_DEPLOYMENT["replicas"] + surge) * connections
    assert serving + mirroring <= 97
