"""The worked examples that docs/api.md shows of moods."""

import re

import pytest

from app.models.mood_rules import Signs, mood
from tests.support.service import ROOT

_HEADER = "| Done today | In time this week |"
_TEXT = (ROOT / "docs/api.md").read_text()
EXAMPLES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in _TEXT.partition(_HEADER)[2].partition("\n\n")[0].splitlines()[2:]
]


def test_there_is_an_example_of_each_label() -> None:
    assert {row[-1] for row in EXAMPLES} == {
        *("ecstatic", "happy", "content", "bored", "worried", "sad")
    }


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: f"{row[-1]} {row[-2]}")
def test_worked_examples_come_out_as_documented(row: list[str]) -> None:
    done, in_time, streak, overdue, oldest, silent, points, score, label = row
    on_time, dated = map(int, in_time.split(" of "))
    figures = (int(done), dated, on_time, int(streak), int(overdue), int(oldest), int(silent))
    found = mood(Signs(*figures))
    told = [int(number) for number in re.findall(r"-?\d+", points.replace("\N{MINUS SIGN} ", "-"))]
    assert [reason.points for reason in found.reasons] == told
    assert (found.score, found.label) == (int(score), label)
