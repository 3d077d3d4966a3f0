"""The page about performance shows what was measured, goals that are missed included."""

import re

import pytest

from tests.support.service import ROOT

PAGE = (ROOT / "docs/performance.md").read_text()
DOORS, LATEST = ((ROOT / f"bench/results/{name}.md").read_text() for name in ("doors", "latest"))


def rows(table: str) -> list[list[str]]:
    """The cells of each line of its tables."""
    return [re.split(r"\s*\|\s*", line.strip("| ")) for line in table.splitlines() if "|" in line]


def missed(results: str) -> list[tuple[str, str]]:
    """What each goal that is missed reached, and the goal."""
    return [(row[-3], row[-2].removeprefix("≤ ")) for row in rows(results) if row[-1] == "no"]


def test_the_doors_stand_there_as_they_were_measured() -> None:
    measured = [row[:-1] for row in rows(DOORS) if row[-1] == "yes"]
    assert len(measured) == 6
    assert [row for row in measured if row not in rows(PAGE)] == []


@pytest.mark.parametrize(
    ("results", "sentence"),
    [(LATEST, r"Three are missed: .*?\n\n"), (DOORS, r"One goal is missed: .*?\n\n")],
    ids=["latest", "doors"],
)
def test_every_goal_that_is_missed_is_said(results: str, sentence: str) -> None:
    (said,) = re.findall(sentence, PAGE, re.DOTALL)
    figures = {float(figure) for figure in re.findall(r"\d+\.\d\d", said)}
    assert figures == {float(figure) for goal in missed(results) for figure in goal}
