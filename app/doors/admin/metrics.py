"""GET /metrics: figures for Prometheus."""

from typing import Any

from fastapi import APIRouter, Response, Security
from prometheus_client import CONTENT_TYPE_LATEST

from app import metrics
from app.auth.shared_keys import ADMIN_KEY, admin_key
from app.http.guard import guarded
from app.models.error import documented

router = APIRouter(
    route_class=guarded(admin_key), dependencies=[Security(ADMIN_KEY)], tags=["admin"]
)

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    responses=_TEXT | documented(401, status_401="X-Admin-Key is missing or wrong."),
)
async def read_metrics() -> Response:
    """Requests by action and status, latencies, connections, replays and key look-ups.

    With METRICS_PORT set the same is served there, without a key.
    """
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
