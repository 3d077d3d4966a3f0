"""Clients that nobody here wrote: made by generators, type-checked strictly, called at every door.

`make clients` installs the generators, apart from the service; without one its test skips.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.document import Document, pasted_headers
from tests.support.service import ROOT, running

PROGRAMS = Path(__file__).parent / "programs"
NODE_MODULES = Path(__file__).parent / "node_modules"
TOOLS = os.pathsep.join(
    map(str, (Path(sys.prefix) / "clients/bin", NODE_MODULES / ".bin", os.environ["PATH"]))
)
TSC = ("tsc", "--strict", "--target", "es2022")


def needs(*tools: str) -> pytest.MarkDecorator:
    if os.environ.get("REQUIRE_GENERATORS"):
        tools = ()
    missing = [tool for tool in tools if shutil.which(tool, path=TOOLS) is None]
    wanted = ", ".join(missing).upper()
    reason = f"{wanted} NOT FOUND: run `make clients` to see that generated clients work"
    return pytest.mark.skipif(bool(missing), reason=reason)


@pytest.fixture
def service(database_url: str) -> Iterator[str]:
    settings = {"DATABASE_URL": database_url, "LOG_LEVEL": "ERROR"}
    with running("dev", "--no-reload", **settings) as (url, _):
        yield url


@pytest.fixture
def folder(service: str, tmp_path: Path) -> Path:
    """An empty folder, but for the served document."""
    with urlopen(f"{service}/openapi.json", timeout=10) as answer:  # noqa: S310 - our own loopback URL
        (tmp_path / "openapi.json").write_bytes(answer.read())
    return tmp_path


@pytest.fixture
def credentials(service: str, folder: Path) -> dict[str, str]:
    """What the programs are told: where the service is, and what its document tells to paste."""
    document: Document = json.loads((folder / "openapi.json").read_text())
    pasted = {
        scheme: value.removeprefix("Bearer ")
        for scheme, headers in pasted_headers(document).items()
        for value in headers.values()
    }
    return {"URL": service, **pasted}


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> None:
    wanted = {**os.environ, "PATH": TOOLS, "PYTHONPATH": str(folder), **environment}
    ended = subprocess.run(
        [*map(str, command)], cwd=folder, env=wanted, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"


def run_python(program: str, folder: Path, credentials: dict[str, str], *checked: str) -> None:
    """Type-checks the program, and the modules named, and runs it."""
    shutil.copy(PROGRAMS / program, folder)
    checks = [*(sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull)]
    silent = [] if checked else ["--follow-imports", "silent"]
    run([*checks, *silent, *checked, program], folder, MYPYPATH=str(folder))
    run([sys.executable, program], folder, **credentials)


@needs("openapi-python-client")
def test_openapi_python_client(folder: Path, credentials: dict[str, str]) -> None:
    (folder / "config.yml").write_text("post_hooks: []\n")
    generate = ["openapi-python-client", "generate", "--path", "openapi.json", "--meta", "none"]
    run([*generate, "--output-path", "task_client", "--config", "config.yml"], folder)
    run_python("python_client.py", folder, credentials, "task_client")


@needs("openapi-generator-cli", "java")
def test_openapi_generator_for_python(folder: Path, credentials: dict[str, str]) -> None:
    generate = ["openapi-generator-cli", "generate", "-i", "openapi.json"]
    run([*generate, "-g", "python", "-o", "."], folder)
    run_python("generator_client.py", folder, credentials)


@needs("openapi-generator-cli", "java", "tsc")
def test_openapi_generator_for_typescript(folder: Path) -> None:
    generate = ["openapi-generator-cli", "generate", "-i", "openapi.json"]
    run([*generate, "-g", "typescript-fetch", "-o", "."], folder)
    modules = ["--module", "esnext", "--moduleResolution", "bundler", "--lib", "es2022,dom"]
    run([*TSC, "--noEmit", *modules, "index.ts"], folder)


@needs("openapi-typescript", "tsc", "node")
def test_openapi_typescript(folder: Path, credentials: dict[str, str]) -> None:
    # With a default a member may be left out; the tool's own default says that it may not.
    lenient = ["--default-non-nullable", "false"]
    run(["openapi-typescript", "openapi.json", "-o", "api.d.ts", *lenient], folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(NODE_MODULES)
    example = {**credentials, "SERVICE_KEY": credentials["ServiceKey"]}
    for program in (PROGRAMS / "client.ts", ROOT / "examples" / "client.ts"):
        shutil.copy(program, folder / "client.ts")
        run([*TSC, "--module", "nodenext", "--types", "node", "client.ts"], folder)
        run(["node", "client.js"], folder, **example)
