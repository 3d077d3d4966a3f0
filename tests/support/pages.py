"""What people read: the documents, what they print, and whether an answer is like it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.service import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text()
API = (ROOT / "docs/api.md").read_text()

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
_CURL = re.compile(
    r"^```bash\n(curl .*?)^```\n(?:\n```json ?(\d*)\n(.*?)^```)?", re.DOTALL | re.MULTILINE
)


class Exchange(NamedTuple):
    """A printed curl line and, where it is printed, the status and JSON of its answer."""

    command: str
    status: int | None = None
    answer: Any = None


def exchanges(page: Path) -> Iterator[Exchange]:
    """The curl lines of a page. An answer that is no 200 has its status after `json`."""
    for command, status, answer in _CURL.findall(page.read_text()):
        if answer:
            yield Exchange(command.strip(), int(status or 200), json.loads(answer))
        else:
            yield Exchange(command.strip())


def assert_alike(got: Any, printed: Any, where: str = "answer") -> None:
    """The same members in the same order with values of the same kind."""
    if isinstance(printed, dict):
        assert isinstance(got, dict), where
        assert list(got) == list(printed), where
        for name, value in printed.items():
            assert_alike(got[name], value, f"{where}.{name}")
    elif isinstance(printed, list):
        assert isinstance(got, list), where
        for item in got:
            assert_alike(item, printed[0], f"{where}[]")
    elif isinstance(printed, str) and INSTANT.fullmatch(printed):
        assert got is None or INSTANT.fullmatch(got), where
    elif printed is not None and got is not None:
        assert type(got) is type(printed), where
