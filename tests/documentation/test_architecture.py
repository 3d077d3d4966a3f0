"""The page about the architecture draws the rooms and layers that there are."""

import re
import tomllib

from tests.support.service import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text()


def contracts() -> list[list[str]]:
    """The layers that import-linter holds: those of the application, then those of commands."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return [one["layers"] for one in linter["contracts"] if one["type"] == "layers"]


def test_it_draws_the_layers_that_are_held() -> None:
    application, commands = contracts()
    (drawn,) = re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    lines = [re.split(r"\s{2,}", line) for line in drawn.splitlines()]
    assert [line[0] for line in lines] == application
    assert [line[1].split(" > ") for line in lines if line[1:]] == [commands]


def test_every_room_is_named() -> None:
    rooms = [path for path in (ROOT / "app").iterdir() if not path.name.startswith("__")]
    missing = {path.name for path in rooms if f"`app/{path.name}`" not in PAGE}
    assert missing == set()
