"""Stands for the AWS CLI in front of an ECS that remembers; FAULT makes it misbehave.

It cannot be the real one: nothing here speaks ECS. The calls were tried with the real CLI against
a simulated ECS once, which took every one of them.
"""

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

STATE, FAULT = Path(os.environ["STATE"]), os.environ.get("FAULT")


def main(command: str, *words: str) -> Any:
    state = json.loads(STATE.read_text())
    state["calls"].append([command, *words])
    options = dict(pairwise(words))
    answer = globals()[command.replace("-", "_")](state, options)
    STATE.write_text(json.dumps(state))
    return answer


def describe_services(state: Any, _: Any) -> Any:
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    services = [
        {
            "serviceName": name,
            "status": "ACTIVE",
            "taskDefinition": definition,
            "networkConfiguration": network,
        }
        for name, definition in state["services"].items()
    ]
    return {"services": services, "failures": []}


def describe_task_definition(state: Any, options: Any) -> Any:
    family = options["--task-definition"]
    container = {"name": family.rpartition("-")[2], "image": "old", "stopTimeout": 30}
    definition = {"family": family, "containerDefinitions": [container]}
    return {"taskDefinition": {**definition, "revision": 1, "status": "ACTIVE"}}


def register_task_definition(state: Any, options: Any) -> Any:
    given = json.loads(options["--cli-input-json"])
    assert given.keys() == {"family", "containerDefinitions"}
    arn = f"{given['family']}:{given['containerDefinitions'][0]['image']}"
    return {"taskDefinition": {"taskDefinitionArn": arn}}


def run_task(state: Any, options: Any) -> Any:
    return {"tasks": [{"taskArn": "task-1"}], "failures": []}


def describe_tasks(state: Any, options: Any) -> Any:
    code = 1 if FAULT == "migration" else 0
    return {"tasks": [{"stoppedReason": "It ended.", "containers": [{"exitCode": code}]}]}


def update_service(state: Any, options: Any) -> Any:
    if FAULT != "circuit-breaker":
        state["services"][options["--service"]] = options["--task-definition"]


def wait(state: Any, options: Any) -> Any:
    if FAULT == "timeout" and "services-stable" in options:
        sys.exit(255)


if __name__ == "__main__":
    assert sys.argv[1] == "ecs"
    json.dump(main(*sys.argv[2:]), sys.stdout)
