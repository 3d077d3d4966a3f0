"""The development environment of the product's document; `make lint` checks its schema."""

import re
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from app.config import WorkerSettings
from app.config.database_url import normalize_database_url
from tests.deployment.dockerfile import exec_form, stages
from tests.support.service import ROOT

SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.dev.yml").read_text())["services"]


def test_names_and_ports_are_those_of_the_document() -> None:
    api, postgres = SERVICES["api"], SERVICES["postgres"]
    assert (api["container_name"], api["ports"]) == ("taskmanager-api-dev", ["127.0.0.1:8888:8000"])
    assert postgres["container_name"] == "taskmanager-postgres-dev"
    assert postgres["ports"] == ["127.0.0.1:5435:5432"]
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
        "webhooks": ["webhooks"],
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


@pytest.mark.parametrize("name", SERVICES)
def test_only_this_machine_reaches_what_is_published(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", ["worker", "webhooks"])
def test_workers_are_told_the_database_and_whom_to_tell_and_no_secret_of_the_api(name: str) -> None:
    worker = SERVICES[name]
    assert "env_file" not in worker
    told = {name.lower(): value for name, value in worker["environment"].items()}
    assert told.keys() <= WorkerSettings.model_fields.keys()
    default = re.fullmatch(r"\$\{DATABASE_URL:-(.+)\}", told["database_url"])
    assert default
    example = dotenv_values(ROOT / ".env.example")["DATABASE_URL"]
    assert normalize_database_url(default[1]) == normalize_database_url(example or "")
    key = told.get("encryption_key", "").removeprefix("${ENCRYPTION_KEY:-").removesuffix("}")
    given = {**told, "database_url": default[1], "encryption_key": key or None}
    settings = WorkerSettings.model_validate(given)
    assert settings.opens_webhooks == (name == "webhooks")
