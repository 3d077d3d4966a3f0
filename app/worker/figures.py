"""Figures of the worker for Prometheus; see `app.metrics` for the service's."""

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES = Counter(
    "task_manager_deliveries", "Attempts to tell a sink of an entity.", ["sink", "outcome"]
)
LAG = Histogram(
    "task_manager_delivery_lag_seconds",
    "From a change to its delivery.",
    ["sink"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0),
)
OLDEST = Gauge(
    "task_manager_oldest_change_seconds", "How long the oldest change has been waiting.", ["sink"]
)
