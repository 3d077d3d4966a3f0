"""GET /metrics: figures for Prometheus."""

from typing import Any

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST

from app import metrics
from app.doors.admin.entrance import admin_router, answers

router = admin_router("")

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    responses=_TEXT | answers(),
)
async def read_metrics() -> Response:
    """Requests by action and status, latencies, connections, replays and key look-ups.

    With METRICS_PORT set the same is served there, without a key.
    """
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
