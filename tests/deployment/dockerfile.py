"""The Dockerfile's own steps, carried out in a folder where no container engine is at hand."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.service import ROOT

_LINE = re.compile(r"^(?!#)(\w+) ((?:[^\\\n]|\\\n|\\.)*)$", re.MULTILINE)
_ASSIGNMENT = re.compile(r'(\w+)=(?:"([^"]*)"|(\S+))')
_COMMENT = re.compile(r"^ *#.*\n", re.MULTILINE)
# What concerns the image's system rather than the service.
_OF_THE_SYSTEM = ("apt-get", "useradd")


@dataclass
class Stage:
    """One FROM of the Dockerfile and what follows it."""

    name: str
    parent: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        """The value that counts of an instruction that may be repeated."""
        return [value for name, value in self.instructions if name == instruction][-1]


def stages() -> dict[str, Stage]:
    """The stages of our Dockerfile by name."""
    found: dict[str, Stage] = {}
    text = _COMMENT.sub("", (ROOT / "Dockerfile").read_text())
    for instruction, value in _LINE.findall(text):
        if instruction == "FROM":
            parent, _, name = value.split()
            found[name] = Stage(name, parent)
        else:
            found[name].instructions.append((instruction, value.replace("\\\n", "")))
    return found


def exec_form(value: str) -> list[str]:
    """The words of a CMD that starts no shell, as Docker starts them."""
    words: list[str] = json.loads(value[value.index("[") :])
    return words


class Build:
    """A folder that stands for the root of an image, and the environment of its processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        subprocess.run([sys.executable, "-m", "venv", folder / "usr/local"], check=True)

    @property
    def workdir(self) -> Path:
        """Where the code lies."""
        return self.folder / "srv"

    def perform(self, stage: Stage) -> None:
        """Carries out the stage's ENV, WORKDIR, COPY and RUN steps on its parent, Python."""
        self.environment = {"PATH": f"{self.folder}/usr/local/bin:/usr/bin:/bin"}
        for instruction, value in stage.instructions:
            if step := getattr(self, f"_{instruction.lower()}", None):
                step(value)

    def _env(self, value: str) -> None:
        for name, quoted, bare in _ASSIGNMENT.findall(value):
            text = (quoted or bare).replace("/opt", f"{self.folder}/opt")
            self.environment[name] = text.replace("$PATH", self.environment["PATH"])

    def _workdir(self, value: str) -> None:
        assert value == "/srv"
        self.workdir.mkdir(exist_ok=True)

    def _copy(self, value: str) -> None:
        source, target = value.split()[-2:]
        if value.startswith("--from="):
            assert source == target  # one folder stands for all stages
        elif (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, self.workdir / target, ignore=ignored)
        else:
            shutil.copy(ROOT / source, self.workdir / target)

    def _run(self, value: str) -> None:
        if value.startswith(_OF_THE_SYSTEM):
            return
        command = value.replace("/opt", f"{self.folder}/opt")
        subprocess.run(
            ["sh", "-c", command], cwd=self.workdir, env=self.environment, check=True, timeout=300
        )
