"""Figures for Prometheus, summed over the workers of one service.

The workers share them through the files of PROMETHEUS_MULTIPROC_DIR, which must be set before
this module is loaded; without it, each process counts for itself.
"""

import os
from functools import cache

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    start_http_server,
)

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

REQUESTS = Counter("task_manager_requests", "Requests answered.", ["action", "status"])
SECONDS = Histogram(
    "task_manager_request_seconds", "Time to the answer.", ["action"], buckets=_BUCKETS
)
CONNECTIONS = Gauge(
    "task_manager_connections_in_use",
    "Database connections lent to requests.",
    multiprocess_mode="livesum",
)
REPLICA_READS = Counter(
    "task_manager_replica_reads",
    "Reads meant for the replica: answered, or left to the primary as it was behind or away.",
    ["outcome"],
)
REPLAYS = Counter("task_manager_replays", "First answers given again.")
BATCHED = Counter(
    "task_manager_batched_commands", "Commands answered within batches.", ["action", "status"]
)
KEY_CACHE = Counter("task_manager_key_lookups", "Service keys looked up.", ["cache"])
ACCOUNT_CACHE = Counter(
    "task_manager_account_lookups", "Accounts of access tokens looked up.", ["cache"]
)
KEY_REQUESTS = Counter(
    "task_manager_key_requests",
    "Requests of service keys answered, and commands of their batches; the key by its name for as "
    "many as METRICS_KEYS.",
    ["key", "action", "outcome"],
)
KEY_HITS, KEY_MISSES = KEY_CACHE.labels("hit"), KEY_CACHE.labels("miss")
ACCOUNT_HITS, ACCOUNT_MISSES = ACCOUNT_CACHE.labels("hit"), ACCOUNT_CACHE.labels("miss")


def forget_worker(pid: int) -> None:
    """Takes the gauges of a worker that ended out of the sum."""
    if _FOLDER in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


@cache
def _figures(action: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(action, status), SECONDS.labels(action)


def record_request(action: str, status: int, seconds: float) -> None:
    """Counts one answered request."""
    count, duration = _figures(action, status)
    count.inc()
    duration.observe(seconds)


_named: set[str] = set()
# No key can have this name.
_OTHER_KEYS = "_other"


def record_key(key: str, action: str, outcome: str, number: int, most_names: int) -> None:
    """Counts answers to a service key, by name as long as no more than so many have one."""
    if key not in _named and len(_named) < most_names:
        _named.add(key)
    KEY_REQUESTS.labels(key if key in _named else _OTHER_KEYS, action, outcome).inc(number)


def exposition() -> bytes:
    """All figures in Prometheus' text format."""
    return generate_latest(_registry())


def serve_on(port: int) -> None:
    """Answers Prometheus on a port of its own, from a thread."""
    start_http_server(port, registry=_registry())


def _registry() -> CollectorRegistry:
    if _FOLDER not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
