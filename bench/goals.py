"""How fast this service wants to be, beside what a run reached."""

from collections.abc import Iterator
from typing import Any, NamedTuple

Results = dict[str, Any]

AGAINST_FLOOR = {
    "get-task": 2.0,
    "create-task": 1.9,
    "update-task": 1.9,
    "list-tasks-100": 1.9,
    "get-stats-1000": 2.0,
}
"""Most CPU of our worker per request, in multiples of the floor's."""
AGAINST_ORDINARY = {
    "get-task": 0.40,
    "create-task": 0.45,
    "update-task": 0.45,
    "list-tasks-100": 0.17,
    "get-stats-1000": 0.43,
}
"""The same, in multiples of ordinary FastAPI's."""
WITH_GOALS = (*AGAINST_FLOOR, "list-changes")
"""The scenarios that have goals."""
POSTGRES_READ, POSTGRES_WRITE = 1.15, 2.0
"""Most CPU of PostgreSQL per request, in multiples of the floor's."""
POLL_AGAINST_GET_TASK = 1.2
"""Most CPU, of the worker and of PostgreSQL, of a poll of the feed with nothing new."""
START_SECONDS, RSS_MB = 1.0, 80.0
TOLERANCE = 1.5
"""CI fails only where a ratio against the floor is more than this many times its goal, twice."""

_WRITES = ("create-task", "update-task")


class Goal(NamedTuple):
    """One figure and the most it may be."""

    name: str
    reached: float
    goal: float

    @property
    def is_met(self) -> bool:
        """Whether the figure is small enough."""
        return self.reached <= self.goal


def ratio(results: Results, scenario: str, other: str, figure: str = "worker_ms") -> float | None:
    """Our figure as a multiple of another implementation's, at 16 connections."""
    figures = results["scenarios"][scenario]["16"]
    if other not in figures or not figures[other][figure]:
        return None
    return round(figures["ours"][figure] / figures[other][figure], 2)


def goals(results: Results) -> Iterator[Goal]:
    """Every goal that the run has figures for."""
    yield from worker_goals(results)
    for scenario in results["scenarios"]:
        if scenario in AGAINST_FLOOR:
            limit = POSTGRES_WRITE if scenario in _WRITES else POSTGRES_READ
            reached = ratio(results, scenario, "floor", "postgres_ms")
            yield Goal(f"{scenario}: PostgreSQL against the floor", reached or 0.0, limit)
    yield from _poll_goals(results)
    for scenario, by_connections in results["scenarios"].items():
        if scenario in AGAINST_FLOOR:
            busy = by_connections["64"]
            limit = busy["ordinary"]["p50_ms"]
            name = f"{scenario}: our p99 against ordinary's p50, 64 connections, ms"
            yield Goal(name, busy["ours"]["p99_ms"], limit)
    ours = results["implementations"]["ours"]
    yield Goal("start to first 200, s", ours["start_seconds"], START_SECONDS)
    yield Goal("RSS of the worker after the run, MB", ours["rss_mb"], RSS_MB)


def _poll_goals(results: Results) -> Iterator[Goal]:
    scenarios = results["scenarios"]
    if {"list-changes", "get-task"} <= scenarios.keys():
        for figure in ("worker_ms", "postgres_ms"):
            poll, single = (
                scenarios[name]["16"]["ours"][figure] for name in ("list-changes", "get-task")
            )
            name = f"list-changes, nothing new: {figure} against get-task"
            yield Goal(name, round(poll / single, 2), POLL_AGAINST_GET_TASK)


def worker_goals(results: Results) -> Iterator[Goal]:
    """The goals of CPU per request in the worker."""
    for other, limits in (("floor", AGAINST_FLOOR), ("ordinary", AGAINST_ORDINARY)):
        for scenario, limit in limits.items():
            if scenario in results["scenarios"]:
                name = f"{scenario}: worker against {other}"
                yield Goal(name, ratio(results, scenario, other) or 0.0, limit)


def regressions(results: Results) -> dict[str, str]:
    """A line for each scenario whose ratio against the floor is far beyond its goal."""
    return {
        scenario: f"{scenario}: {reached:.2f} times the floor; more than {most:.2f} fails"
        for scenario, limit in AGAINST_FLOOR.items()
        if scenario in results["scenarios"]
        and (reached := ratio(results, scenario, "floor") or 0.0) > (most := limit * TOLERANCE)
    }
