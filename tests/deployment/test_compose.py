"""The development environment of the product's document; `make lint` checks its schema."""

from typing import Any

import pytest
import yaml

from tests.deployment.dockerfile import exec_form, stages
from tests.service import ROOT

SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.dev.yml").read_text())["services"]


def test_names_and_ports_are_those_of_the_document() -> None:
    api, postgres = SERVICES["api"], SERVICES["postgres"]
    assert (api["container_name"], api["ports"]) == ("taskmanager-api-dev", ["8888:8000"])
    assert postgres["container_name"] == "taskmanager-postgres-dev"
    assert postgres["ports"] == ["5435:5432"]
    assert postgres["environment"]["POSTGRES_DB"] == "taskmanager_dev"


def test_the_api_waits_for_postgresql_migrates_it_and_reloads_what_is_mounted() -> None:
    api = SERVICES["api"]
    assert api["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert api["build"]["target"] == "dev"
    # `dev` migrates before it serves, and reloads unless told otherwise.
    command = exec_form(stages()["dev"].last("CMD"))
    assert command[:4] == ["python", "-m", "app", "dev"]
    assert "--no-reload" not in command
    assert "./app:/srv/app" in api["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_tells_its_health(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


def test_only_what_was_asked_for_starts_besides_api_and_postgresql() -> None:
    profiles = {name: service.get("profiles") for name, service in SERVICES.items()}
    assert profiles == {
        "api": None,
        "postgres": None,
        "redis": ["redis"],
        "localstack": ["localstack"],
        "worker": ["localstack"],
    }


def test_the_worker_finds_a_schema_and_the_bucket_that_localstack_makes() -> None:
    worker, localstack = SERVICES["worker"], SERVICES["localstack"]
    assert worker["command"] == ["python", "-m", "app", "worker"]
    healthy = {"condition": "service_healthy"}
    assert worker["depends_on"] == {"api": healthy, "localstack": healthy}
    settings = worker["environment"]
    assert settings["AWS_ENDPOINT_URL"] == "http://localstack:4566"
    assert f"s3://{settings['AWS_S3_BUCKET']}" in localstack["healthcheck"]["test"][1]
    assert f"localhost:{settings['METRICS_PORT']}/metrics" in worker["healthcheck"]["test"][-1]
