"""Brings an image to ECS: migrates, rolls out, waits, and goes back where that fails.

python deploy/ecs.py task-manager-staging <registry>/task-manager-staging:<tag>

It needs the AWS CLI, the role that Terraform calls deployer, and nothing else.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

# What describe-task-definition tells and register-task-definition does not take.
_TOLD = (
    "compatibilities",
    "deregisteredAt",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "revision",
    "status",
    "taskDefinitionArn",
)


def ecs(*words: str) -> Any:
    """What `aws ecs <words>` answers; ends the deployment when it fails."""
    done = subprocess.run(
        ["aws", "ecs", *words, "--output", "json"], stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise SystemExit(f"aws ecs {words[0]} failed.")
    return json.loads(done.stdout or b"null")


@dataclass(frozen=True)
class Deployment:
    """One image on its way to the services of one cluster."""

    cluster: str
    image: str

    def run(self) -> None:
        """Migrates, then rolls out to every service; SystemExit at the first that fails."""
        services = self._services()
        self._migrate(services["api"]["networkConfiguration"])
        for name, service in services.items():
            self._roll_out(name, service["taskDefinition"])

    def _services(self) -> dict[str, Any]:
        """The API and, where it is switched on, the worker."""
        found = self._ask("describe-services", "--services", "api", "worker")["services"]
        active = {each["serviceName"]: each for each in found if each["status"] == "ACTIVE"}
        if "api" not in active:
            raise SystemExit(f"{self.cluster} has no service api; has Terraform made it?")
        return {name: active[name] for name in ("api", "worker") if name in active}

    def _ask(self, command: str, *words: str) -> Any:
        return ecs(command, *words, "--cluster", self.cluster)

    def _register(self, role: str) -> str:
        """A revision like the family's latest, but with our image."""
        answer = ecs("describe-task-definition", "--task-definition", f"{self.cluster}-{role}")
        definition = answer["taskDefinition"]
        definition["containerDefinitions"][0]["image"] = self.image
        given = {name: value for name, value in definition.items() if name not in _TOLD}
        answer = ecs("register-task-definition", "--cli-input-json", json.dumps(given))
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def _migrate(self, network: object) -> None:
        """Runs the migration as a task of its own, where the API runs."""
        started = self._ask(
            *("run-task", "--task-definition", self._register("migrate")),
            *("--launch-type", "FARGATE", "--network-configuration", json.dumps(network)),
        )
        if not started["tasks"]:
            raise SystemExit(f"The migration could not start: {started['failures']}")
        task = started["tasks"][0]["taskArn"]
        self._ask("wait", "tasks-stopped", "--tasks", task)
        stopped = self._ask("describe-tasks", "--tasks", task)["tasks"][0]
        if stopped["containers"][0].get("exitCode") != 0:
            raise SystemExit(f"The migration failed: {stopped['stoppedReason']} See its log.")
        print("Migrated.")

    def _roll_out(self, service: str, previous: str) -> None:
        """Replaces the tasks one by one; puts the previous ones back when that fails."""
        wanted = self._register(service)
        self._update(service, wanted)
        # ECS may have gone back by itself: then the service is stable too.
        if not self._is_stable(service) or self._services()[service]["taskDefinition"] != wanted:
            self._update(service, previous)
            raise SystemExit(f"{service} did not become healthy; going back to {previous}.")
        print(f"{service} runs {self.image}.")

    def _update(self, service: str, definition: str) -> None:
        self._ask("update-service", "--service", service, "--task-definition", definition)

    def _is_stable(self, service: str) -> bool:
        try:
            self._ask("wait", "services-stable", "--services", service)
        except SystemExit:
            return False
        return True


if __name__ == "__main__":
    Deployment(*sys.argv[1:]).run()
