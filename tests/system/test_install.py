"""What `make`, the image and the workflows install from the locks, and by which installers."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.pages import PAGES
from tests.support.service import ROOT, environment

OLDEST = {11: "22.3", 12: "23.2.1", 13: "24.2", 14: "25.2"}[sys.version_info.minor]
"""The pip that came with the first release of this Python."""
NEWEST = "26.3"
LOCKS = [
    ("requirements.txt", "requirements-dev.txt"),  # the same, and more
    ("requirements-local.txt",),
    ("requirements-infra.txt",),
    ("requirements-clients.txt",),
]

INSTALLERS = ["pip", "uv"]


def test_every_install_from_a_lock_takes_it_as_it_is_and_checks_it() -> None:
    files = [ROOT / "Makefile", ROOT / "Dockerfile", ROOT / ".ci/run"]
    files += (ROOT / ".github/workflows").glob("*.yml")
    files += PAGES
    text = "\n".join(path.read_text() for path in files).replace("\\\n", " ")
    installs = re.findall(r"\binstall\b.*--require-hashes.*", text)
    assert len(installs) == 5
    assert all(re.search(r"--no-deps .*&& .*\bcheck\b", command) for command in installs)
    assert not re.search(r"\binstall\b(?!.*--require-hashes).* -r ", text)


def wheel(folder: Path, name: str, version: str, *requirements: str) -> str:
    """Makes a wheel that needs these; its line in a lock."""
    path, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: raw\n"
    with ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", about + needs)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"{name}=={version} --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture(scope="module", params=INSTALLERS)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our Makefile, small locks, a registry on disk, and an installer."""
    if request.param == "uv" and shutil.which("uv") is None:
        pytest.skip("UV IS NOT INSTALLED: nothing shows that it installs the locks")
    folder = tmp_path_factory.mktemp("a 'project' of mine")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "wheels").mkdir()
    cat = wheel(folder / "wheels", "cat", "1.0", "fish[raw]>=1")
    fish = wheel(folder / "wheels", "fish", "1.0")
    wheel(folder / "wheels", "fish", "1.1")
    (folder / "requirements.txt").touch()
    (folder / "requirements-local.txt").write_text(cat + fish)
    (folder / "requirements-dev.txt").write_text(wheel(folder / "wheels", "dog", "1.0", "bone"))
    (folder / "installer").write_text("UV=" if request.param == "pip" else "")
    return folder


def make(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    """What `make` says, with the folder's registry and no other."""
    wheels = (folder / "wheels").as_uri()
    return subprocess.run(
        ["make", *(folder / "installer").read_text().split(), f"PYTHON={sys.executable}", target],
        cwd=folder,
        env=environment(
            VENV=".venv",
            PIP_CONFIG_FILE="/dev/null",
            PIP_EXTRA_INDEX_URL="",
            PIP_FIND_LINKS=wheels,
            PIP_NO_INDEX="1",
            UV_FIND_LINKS=wheels,
            UV_NO_INDEX="1",
        ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_newer_release_of_what_is_locked_changes_nothing(project: Path) -> None:
    finished = make(project, ".venv/.run")
    assert finished.returncode == 0, finished.stderr
    [fish] = (project / ".venv").rglob("fish-*.dist-info")
    assert fish.name == "fish-1.0.dist-info"


def test_an_incomplete_lock_is_refused_by_what_it_lacks(project: Path) -> None:
    finished = make(project, ".venv/.test")
    assert finished.returncode != 0
    assert "bone" in finished.stdout + finished.stderr
    assert not (project / ".venv/.test").exists()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an empty environment and, in a folder of their own each, two pips."""
    folder = tmp_path_factory.mktemp("pips")
    subprocess.run([sys.executable, "-m", "venv", folder / "bundled"], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "empty"], check=True)
    for version in (OLDEST, NEWEST):
        pip = [str(folder / "bundled/bin/python"), "-m", "pip", "install", "-q", "--retries=1"]
        command = [*pip, "--target", str(folder / version), f"pip=={version}"]
        if subprocess.run(command, check=False).returncode != 0:
            pytest.skip("THE REGISTRY IS OUT OF REACH: nothing shows that any pip takes the locks")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.registry
def test_the_oldest_and_the_newest_pip_take_every_lock(scratch: Path) -> None:
    """The newest fetches what is locked, the oldest finds it there."""

    def pip(version: str, *arguments: str) -> None:
        command = [str(scratch / "empty/bin/python"), "-m", "pip", *arguments]
        subprocess.run(command, env=environment(PYTHONPATH=str(scratch / version)), check=True)

    def take(locks: tuple[str, ...]) -> None:
        wheels = str(scratch / locks[-1])
        named = [f"--requirement={ROOT / lock}" for lock in locks]
        as_locked = ["--quiet", "--no-deps", "--require-hashes", *named]
        pip(NEWEST, "download", "--dest", wheels, *as_locked)
        pip(OLDEST, "install", "--dry-run", "--no-index", "--find-links", wheels, *as_locked)

    with ThreadPoolExecutor() as threads:
        list(threads.map(take, LOCKS))
