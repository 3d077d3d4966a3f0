"""The comparison: every scenario, every implementation in turn, several rounds."""

import os
import platform
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import psutil

from bench.load import Load, Round, medians
from bench.scenarios import REQUESTS, SCENARIOS, Material, Scenario, get_task
from bench.servers import IMPLEMENTATIONS, Server, started_after_trials
from bench.store import main_store, start_server

CONNECTIONS = (16, 64)
_BUSY = 0.5

Results = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    rows: int
    rounds: int
    seconds: int
    starts: int
    only: Sequence[str] = ()

    @property
    def scenarios(self) -> list[Scenario]:
        """Those asked for, or all."""
        return [scenario for scenario in SCENARIOS if not self.only or scenario.name in self.only]


def compare(plan: Plan) -> Results:
    """Runs the plan and returns everything that was measured."""
    before = machine()
    if before["load"] > _BUSY:
        click.echo(f"The machine is busy (load {before['load']}): the figures will be noisy.")
    server = start_server()
    store = main_store(server, plan.rows)
    key = store.prepare()
    material = Material(store.sample(REQUESTS), plan.rows)
    load = Load([psutil.Process(server.pid)], key, plan.seconds)
    with ExitStack() as resources:
        folder = Path(resources.enter_context(TemporaryDirectory()))
        click.echo("Starting the implementations …")
        servers = [
            resources.enter_context(
                started_after_trials(
                    implementation,
                    store.url,
                    key,
                    next(get_task(material, implementation.dialect)),
                    plan.starts,
                )
            )
            for implementation in IMPLEMENTATIONS
        ]
        measured = {
            scenario.name: _measure(
                scenario,
                plan,
                [server for server in servers if scenario.answered_by(server.implementation.name)],
                load,
                _files(folder, scenario, material),
            )
            for scenario in plan.scenarios
        }
        return _results(plan, before, servers, measured)


def _files(folder: Path, scenario: Scenario, material: Material) -> dict[str, Path]:
    """The requests of a scenario in each dialect."""
    return {
        dialect: scenario.write(folder / f"{scenario.name}.{dialect}", material, dialect)
        for dialect in ("execute", "rest")
    }


def _measure(
    scenario: Scenario, plan: Plan, servers: list[Server], load: Load, files: dict[str, Path]
) -> dict[str, Any]:
    """The medians by number of connections and implementation."""
    figures: dict[str, Any] = {}
    for server in servers:  # uncounted: each connection has yet to prepare the statements
        load.send(server, files[server.implementation.dialect], CONNECTIONS[0])
    for connections in CONNECTIONS:
        rounds: dict[str, list[Round]] = {server.implementation.name: [] for server in servers}
        for _ in range(plan.rounds):
            for server in servers:
                file = files[server.implementation.dialect]
                rounds[server.implementation.name].append(load.send(server, file, connections))
        figures[str(connections)] = {
            name: {**medians(measured)._asdict(), "rounds": [one._asdict() for one in measured]}
            for name, measured in rounds.items()
        }
        _tell(scenario, connections, figures[str(connections)])
    return figures


def _tell(scenario: Scenario, connections: int, figures: dict[str, Any]) -> None:
    costs = "   ".join(
        f"{name} {one['worker_ms']:.3f}+{one['postgres_ms']:.3f}" for name, one in figures.items()
    )
    click.echo(f"{scenario.title:<24} {connections:>2} connections   {costs}")


def _results(
    plan: Plan, before: dict[str, Any], servers: list[Server], measured: dict[str, Any]
) -> Results:
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": before,
        "plan": {"rows": plan.rows, "rounds": plan.rounds, "seconds": plan.seconds},
        "implementations": {
            server.implementation.name: {
                "title": server.implementation.title,
                "start_seconds": round(server.start_seconds, 2),
                "rss_mb": round(server.rss_mb(), 1),
            }
            for server in servers
        },
        "scenarios": measured,
    }


def machine() -> dict[str, Any]:
    """Where it is measured, and how busy it is with other things."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "python": platform.python_version(),
        "load": round(psutil.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
    }


def _cpu_model() -> str:
    file = Path("/proc/cpuinfo")
    for line in file.read_text().splitlines() if file.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
