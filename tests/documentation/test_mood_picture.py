"""The picture of each label as a browser draws it, in light and dark."""

import os
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import pytest
from playwright.sync_api import Page, Request, sync_playwright

from app.doors.platform.mood_picture import draw
from app.models.mood import DayCount, Label
from app.models.mood_rules import Signs, mood
from tests.support.browser import chromium
from tests.support.mood import NOW, mood_of

__all__ = ["chromium"]
pytestmark = pytest.mark.browser

SIGNS: dict[Label, Signs] = {
    "ecstatic": Signs(done_today=4, dated=1, on_time=1, streak=123),
    "happy": Signs(done_today=3, streak=8),
    "content": Signs(),
    "bored": Signs(overdue=2),
    "worried": Signs(overdue=6),
    "sad": Signs(overdue=6, silence=9),
}
_MEASURE = """() => {
    const box = document.querySelector('svg').getBoundingClientRect();
    const style = (name) => getComputedStyle(document.querySelector(name)).fill;
    return {
        card: style('.card'),
        ink: style('text.ink'),
        bars: [...document.querySelectorAll('.none, .bar, .today')]
            .map(bar => bar.getBBox().height),
        outside: [...document.querySelectorAll('text, rect, path, circle, ellipse')]
            .map(shape => shape.getBoundingClientRect())
            .filter(it => it.left < box.left || it.top < box.top
                || it.right > box.right || it.bottom > box.bottom).length,
        faults: document.querySelectorAll('parsererror').length,
    };
}"""


@pytest.fixture(scope="module")
def pages(chromium: str) -> Iterator[dict[str, Page]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        size = {"width": 320, "height": 120}
        yield {
            scheme: browser.new_page(color_scheme=scheme, viewport=size)  # type: ignore[arg-type]
            for scheme in schemes
        }
        browser.close()


def picture(label: Label, tmp_path: Path) -> str:
    report = mood_of()
    report.mood, report.streak.current = mood(SIGNS[label]), SIGNS[label].streak
    report.week = [
        DayCount(date=(NOW - timedelta(6 - day)).date(), completed=day * 999) for day in range(7)
    ]
    assert report.mood.label == label
    path = tmp_path / f"{label}.svg"
    path.write_bytes(draw(report))
    return path.as_uri()


def _note(asked: list[str], request: Request) -> None:
    asked.append(request.url)


def luminance(color: str) -> float:
    channels = [int(part) / 255 for part in color.strip("rgb()").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(part * c for part, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("label", get_args(Label))
def test_each_label_is_drawn_whole_and_readable_in_light_and_dark(
    pages: dict[str, Page], label: Label, tmp_path: Path
) -> None:
    cards = {}
    for scheme, page in pages.items():
        asked: list[str] = []
        page.on("request", partial(_note, asked))
        page.goto(url := picture(label, tmp_path))
        drawn = page.evaluate(_MEASURE)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{label}-{scheme}.png")
        assert asked == [url]
        assert (drawn["outside"], drawn["faults"]) == (0, 0)
        assert drawn["bars"] == sorted(drawn["bars"])
        assert len(drawn["bars"]) == 7
        assert contrast(drawn["card"], drawn["ink"]) > 7
        cards[scheme] = drawn["card"]
    assert cards["light"] != cards["dark"]
