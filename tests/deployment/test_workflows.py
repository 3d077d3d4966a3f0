"""The workflows fit the repository and Terraform; `make lint` checks their schema and safety."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment.hcl import blocks
from tests.support.service import ROOT

FOLDER = ROOT / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))


def workflow(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yml").read_text())
    return content


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_foreign_actions_are_pinned_by_digest(path: Path) -> None:
    for action in re.findall(r"uses: (\S+)", path.read_text()):
        assert re.fullmatch(r"\./.*|\S+@[0-9a-f]{40}", action)


def test_every_python_and_postgresql_is_tested_and_the_embedded_one() -> None:
    matrix = workflow("ci")["jobs"]["test"]["strategy"]["matrix"]["include"]
    assert {each["python"] for each in matrix} == {"3.11", "3.12", "3.13"}
    assert {each.get("postgres") for each in matrix} == {"16", "17", "18", None}


def test_production_follows_staging_follows_ci() -> None:
    jobs = workflow("deploy")["jobs"]
    assert (jobs["staging"]["needs"], jobs["production"]["needs"]) == ("ci", "staging")


def test_the_release_names_what_terraform_makes() -> None:
    job = workflow("release")["jobs"]["release"]
    assert job["environment"] == "${{ inputs.environment }}"
    name = job["env"]["NAME"].replace("${{ inputs.environment }}", "${var.environment}")
    assert name == blocks("locals")["name"]
