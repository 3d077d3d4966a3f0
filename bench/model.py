"""What a store of so many tasks takes: simulated from what the soak and the benchmark measured.

Nobody fills ten million tasks here. Bytes per row are those of the soak, where tables and indexes
have levelled off; CPU per request is the benchmark's. How people use the service, and what machines
cost, is assumed.
"""

import json
from typing import Any, NamedTuple

from bench.report import FOLDER, table

_SIZES = (100_000, 1_000_000, 10_000_000, 100_000_000)

TASKS_OF_A_USER = 100
COMPLETIONS_OF_A_TASK = 0.5
WRITES_A_DAY = 4
"""Of a user, each with an idempotency key and in the log."""
READS_A_DAY = 20
PEAK = 5
"""The busiest second beside the mean one."""
BUSY = 0.6
"""The share of its CPU that a process may need at the peak."""
ACTIVE = 0.2
"""The share of the users who come on a day: their tasks stay in memory."""
LOG_DAYS, ANSWER_DAYS = 30, 8

MACHINE_CORES, MACHINE_GB, MACHINE_DISK_GB = 16, 64, 1_000
DATE = "2026-11-26"
WORKER_CPU, WORKER_DOLLARS = 0.25, 9.01
UNIT_GB, UNIT_DOLLARS = 4, 77.38
"""A unit of compute: a core and so much memory, for a month of 730 hours at $0.106."""
DOLLARS_A_GB = 0.35

_READS = {"list-tasks-100": 0.5, "get-task": 0.3, "get-stats-100": 0.2}
_WRITES = {"create-task": 0.4, "update-task": 0.6}


class Costs(NamedTuple):
    """CPU per request, ms."""

    worker: float
    postgres: float


class Bytes(NamedTuple):
    """What a row takes with its share of the indexes."""

    task: float
    completion: float
    change: float
    answer: float


class Size(NamedTuple):
    """What a store of so many tasks takes."""

    tasks: int
    users: float
    lasting_gb: float
    passing_gb: float
    memory_gb: float
    requests: float
    postgres_cores: float
    workers: float

    @property
    def gb(self) -> float:
        """All that is stored."""
        return self.lasting_gb + self.passing_gb

    @property
    def dollars(self) -> float:
        """A month of workers, compute and storage."""
        units = max(0.25, self.postgres_cores, self.memory_gb / UNIT_GB)
        workers = max(2.0, self.workers)
        return workers * WORKER_DOLLARS + units * UNIT_DOLLARS + self.gb * DOLLARS_A_GB


def simulate() -> dict[str, Any]:
    """The bytes per row, the CPU per request, and a store of every size."""
    rows, costs = _bytes(), _mix()
    return {
        "bytes": rows._asdict(),
        "costs": costs._asdict(),
        "sizes": [size_of(tasks, rows, costs)._asdict() for tasks in _SIZES],
    }


def size_of(tasks: int, rows: Bytes, costs: Costs) -> Size:
    """A store of so many tasks, given these."""
    users = tasks / TASKS_OF_A_USER
    writes = users * WRITES_A_DAY
    lasting = tasks * (rows.task + COMPLETIONS_OF_A_TASK * rows.completion)
    passing = writes * (LOG_DAYS * rows.change + ANSWER_DAYS * rows.answer)
    requests = users * (WRITES_A_DAY + READS_A_DAY) * PEAK / 86_400
    return Size(
        tasks,
        users,
        lasting / 1e9,
        passing / 1e9,
        (ACTIVE * lasting + writes * (rows.change + rows.answer)) / 1e9,
        requests,
        requests * costs.postgres / 1_000 / BUSY,
        requests * costs.worker / 1_000 / BUSY / WORKER_CPU,
    )


def _bytes() -> Bytes:
    sizes = json.loads((FOLDER / "soak.json").read_text())["quarters"][-1]["sizes"]
    names = ("tasks", "completions", "changes", "replays")
    return Bytes(*((sizes[name][0] + sizes[name][1]) / sizes[name][2] for name in names))


def _mix() -> Costs:
    """The mean request, as users read and write."""
    scenarios = json.loads((FOLDER / "latest.json").read_text())["scenarios"]
    daily = {name: share * READS_A_DAY for name, share in _READS.items()}
    daily |= {name: share * WRITES_A_DAY for name, share in _WRITES.items()}
    total = sum(daily.values())
    return Costs(
        *(
            sum(scenarios[name]["16"]["ours"][kind] * number for name, number in daily.items())
            / total
            for kind in ("worker_ms", "postgres_ms")
        )
    )


def markdown(results: dict[str, Any]) -> str:
    """The assumptions, the stores, and what one machine holds."""
    rows, costs = Bytes(**results["bytes"]), Costs(**results["costs"])
    header = (
        "tasks",
        "users",
        "tasks, GB",
        "log and answers, GB",
        "in memory, GB",
        "requests/s",
        "PostgreSQL, cores",
        "workers",
        "$ a month",
    )
    sizes = [Size(**size) for size in results["sizes"]]
    return (
        f"# Growth, simulated\n\n{_assumptions(rows, costs)}\n\n"
        f"{table(header, map(_row, sizes))}\n{_machine(size_of(_SIZES[-1], rows, costs))}\n"
    )


def _assumptions(rows: Bytes, costs: Costs) -> str:
    task = rows.task + COMPLETIONS_OF_A_TASK * rows.completion
    passing = WRITES_A_DAY / TASKS_OF_A_USER * (LOG_DAYS * rows.change + ANSWER_DAYS * rows.answer)
    return f"""\
Measured: {rows.task:.0f} bytes a task, {rows.completion:.0f} a completion, {rows.change:.0f} a
change in the log, {rows.answer:.0f} a first answer, indexes included; {costs.worker:.3f} +
{costs.postgres:.3f} ms of CPU a request, worker + PostgreSQL.

Assumed: {TASKS_OF_A_USER} tasks a user, half of them completed; {WRITES_A_DAY} writes and
{READS_A_DAY} reads a user and day, at the peak {PEAK} times the mean, which may take {BUSY:.0%} of
a process's CPU; the tasks of {ACTIVE:.0%} of the users in memory. So a task takes {task:.0f} bytes
with its completions, and {passing:.0f} of log and answers.

Prices as known on {DATE}: ${WORKER_DOLLARS} a worker of {WORKER_CPU} vCPU, ${UNIT_DOLLARS} a core
with {UNIT_GB} GB, ${DOLLARS_A_GB} a GB, each a month."""


def _row(size: Size) -> tuple[str, ...]:
    return (
        f"{size.tasks:,}",
        f"{size.users:,.0f}",
        f"{size.lasting_gb:,.1f}",
        f"{size.passing_gb:,.1f}",
        f"{size.memory_gb:,.1f}",
        f"{size.requests:,.0f}",
        f"{size.postgres_cores:,.2f}",
        f"{size.workers:,.1f}",
        f"{size.dollars:,.0f}",
    )


def _machine(size: Size) -> str:
    """What one machine holds: as many tasks as its scarcest resource."""
    shares = {
        "CPU": MACHINE_CORES / size.postgres_cores,
        "memory": MACHINE_GB / size.memory_gb,
        "disk": MACHINE_DISK_GB / size.gb,
    }
    scarcest = min(shares, key=shares.__getitem__)
    held = shares[scarcest] * size.tasks / 1e6
    return (
        f"A machine of {MACHINE_CORES} cores, {MACHINE_GB} GB and {MACHINE_DISK_GB:,} GB of disk "
        f"holds {held:,.0f} million tasks; its {scarcest} ends first. "
        f"A worker serves {size.users / size.workers / 1_000:,.0f},000 users."
    )
