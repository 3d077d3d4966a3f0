"""The results as files: JSON for programs, Markdown for people, SVG for the README."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.goals import AGAINST_FLOOR, AGAINST_ORDINARY, goals, ratio
from bench.plot import draw
from bench.scenarios import SCENARIOS

FOLDER = Path(__file__).parent / "results"

Results = dict[str, Any]

_TITLES = {scenario.name: scenario.title for scenario in SCENARIOS}


def write(results: Results, name: str) -> list[Path]:
    """Writes the three files under that name."""
    texts = {
        ".json": json.dumps(results, indent=1) + "\n",
        ".md": markdown(results),
        ".svg": draw(results, _TITLES),
    }
    return [_write(f"{name}{suffix}", text) for suffix, text in texts.items()]


def write_part(name: str, results: object, text: str) -> list[Path]:
    """Writes the figures of one question and their table."""
    return [
        _write(f"{name}.json", json.dumps(results, indent=1) + "\n"),
        _write(f"{name}.md", text),
    ]


def _write(name: str, text: str) -> Path:
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / name
    path.write_text(text)
    return path


def markdown(results: Results) -> str:
    """All tables of a run."""
    parts = [
        "# Benchmark\n",
        _setting(results),
        "## Against the floor and ordinary FastAPI\n",
        ratio_table(results),
        "## Goals\n",
        _goal_table(results),
        "## Processes\n",
        _process_table(results),
        *(_connection_tables(results, connections) for connections in ("16", "64")),
    ]
    return "\n".join(parts)


def _setting(results: Results) -> str:
    machine, plan = results["machine"], results["plan"]
    return (
        f"{results['measured_at']}, {machine['cpu']}, {machine['cores']} cores shared by wrk, one "
        f"worker and PostgreSQL, Python {machine['python']}; {plan['rows']:,} tasks of users with "
        f"100 each; medians of {plan['rounds']} round(s) of {plan['seconds']} s, the "
        "implementations in turn. CPU is user and system time per request.\n"
    )


def ratio_table(results: Results) -> str:
    """Our CPU as multiples of the floor's and of ordinary FastAPI's, beside the goals."""
    header = ("", "worker / floor", "goal", "worker / ordinary", "goal", "PostgreSQL / floor")
    return table(
        header,
        (
            (
                _TITLES[name],
                _number(ratio(results, name, "floor")),
                _goal(AGAINST_FLOOR.get(name)),
                _number(ratio(results, name, "ordinary")),
                _goal(AGAINST_ORDINARY.get(name)),
                _number(ratio(results, name, "floor", "postgres_ms")),
            )
            for name in results["scenarios"]
        ),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _goal(value: float | None) -> str:
    return "" if value is None else f"≤ {value:.2f}"


def _goal_table(results: Results) -> str:
    return table(
        ("", "reached", "goal", ""),
        (
            (goal.name, f"{goal.reached:.2f}", f"≤ {goal.goal:.2f}", "yes" if goal.is_met else "no")
            for goal in goals(results)
        ),
    )


def _process_table(results: Results) -> str:
    return table(
        ("", "start to first 200, s", "RSS after the run, MB"),
        (
            (one["title"], f"{one['start_seconds']:.2f}", f"{one['rss_mb']:.0f}")
            for one in results["implementations"].values()
        ),
    )


def _connection_tables(results: Results, connections: str) -> str:
    figures = (
        ("Requests per second", lambda one: f"{one['requests_per_second']:,.0f}"),
        ("p50 / p99, ms", lambda one: f"{one['p50_ms']:.1f} / {one['p99_ms']:.1f}"),
        (
            "CPU per request: worker + PostgreSQL, ms",
            lambda one: f"{one['worker_ms']:.3f} + {one['postgres_ms']:.3f}",
        ),
    )
    implementations = results["implementations"]
    header = ("", *(one["title"] for one in implementations.values()))
    parts = [f"## {connections} connections\n"]
    for title, show in figures:
        rows = (
            (
                _TITLES[name],
                *(
                    show(by_connections[connections][one])
                    if one in by_connections[connections]
                    else "n/a"
                    for one in implementations
                ),
            )
            for name, by_connections in results["scenarios"].items()
        )
        parts += [f"### {title}\n", table(header, rows)]
    return "\n".join(parts)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up; all but the first are flushed right."""
    rows = [tuple(header), *map(tuple, rows)]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    ]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([lines[0], f"| {' | '.join(rule)} |", *lines[1:]]) + "\n"
