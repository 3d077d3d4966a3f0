"""A bar chart in SVG that brings its own colours for light and dark pages."""

from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

Results = dict[str, Any]

_WIDTH, _LABELS, _RIGHT = 860, 190, 60
_BAR, _GAP, _TOP = 11, 14, 76
_STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #57606a }
  .title { font-size: 15px; font-weight: 600; fill: #1f2328 }
  .name { fill: #1f2328 }
  .value { font-size: 10px }
  .axis { stroke: #d0d7de }
  .bar-0 { fill: #1a7f37 } .bar-1 { fill: #8c959f }
  .bar-2 { fill: #0969da } .bar-3 { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 }
    .title, .name { fill: #f0f6fc }
    .axis { stroke: #3d444d }
    .bar-0 { fill: #3fb950 } .bar-1 { fill: #6e7681 }
    .bar-2 { fill: #4493f8 } .bar-3 { fill: #db6d28 }
  }
"""


def draw(results: Results, titles: dict[str, str]) -> str:
    """The worker's CPU per request at 16 connections: one group a scenario, one bar each."""
    names = list(results["implementations"])
    groups = [
        (titles[name], [figures["16"][one]["worker_ms"] for one in names])
        for name, figures in results["scenarios"].items()
        if figures["16"].keys() >= set(names)
    ]
    largest = max(value for _, values in groups for value in values)
    scale = (_WIDTH - _LABELS - _RIGHT) / largest
    group_height = len(names) * _BAR + _GAP
    height = _TOP + len(groups) * group_height + 8
    legend = [one["title"] for one in results["implementations"].values()]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>CPU per request in the worker</title><style>{_STYLE}</style>",
        '<text class="title" x="12" y="24">CPU per request in the worker, milliseconds '
        "(shorter is better)</text>",
        *_legend(legend),
        f'<path class="axis" d="M{_LABELS} {_TOP - 6}V{height - 8}"/>',
    ]
    for number, (title, values) in enumerate(groups):
        parts += _group(title, values, _TOP + number * group_height, scale)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(titles: list[str]) -> Iterator[str]:
    x = 12
    for number, title in enumerate(titles):
        yield f'<rect class="bar-{number}" x="{x}" y="41" width="12" height="12" rx="2"/>'
        yield f'<text x="{x + 18}" y="51">{escape(title)}</text>'
        x += 46 + 7 * len(title)


def _group(title: str, values: list[float], y: int, scale: float) -> Iterator[str]:
    middle = y + len(values) * _BAR / 2 + 4
    yield (
        f'<text class="name" x="{_LABELS - 10}" y="{middle:g}" text-anchor="end">'
        f"{escape(title)}</text>"
    )
    for number, value in enumerate(values):
        top, length = y + number * _BAR, max(1.0, value * scale)
        yield (
            f'<rect class="bar-{number}" x="{_LABELS}" y="{top}" width="{length:.1f}" '
            f'height="{_BAR - 1}" rx="1.5"/>'
        )
        yield (
            f'<text class="value" x="{_LABELS + length + 5:.1f}" y="{top + 9}">{value:.3f}</text>'
        )
