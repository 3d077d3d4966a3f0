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

ATTEMPTS = Counter("task_manager_webhook_attempts", "Attempts to tell an endpoint.", ["outcome"])
FIRST_ATTEMPTS = Histogram(
    "task_manager_webhook_lag_seconds",
    "From an event to the beginning of its first attempt.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0),
)
OVERDUE = Gauge(
    "task_manager_webhook_overdue_seconds", "How long the longest waiting attempt has been due."
)
DISABLED = Gauge("task_manager_webhooks_disabled", "Endpoints that are told nothing.")
