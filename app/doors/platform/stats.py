"""GET /stats: a user's figures, bare, as Cat House reads them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.auth.service_keys import ServiceCaller, service_key
from app.commands.action import Context
from app.commands.handlers.stats import GetStats, get_stats
from app.config import Settings
from app.database.requests import read
from app.http.guard import guarded
from app.models.error import documented
from app.models.stats import Stats
from app.models.text import UserId

router = APIRouter(route_class=guarded(service_key), tags=["stats"])


@router.get("/stats", summary="Statistics of one user", responses=documented(401, 403, 422))
async def read_stats(
    request: Request, caller: ServiceCaller, user_id: Annotated[UserId, Query()]
) -> Stats:
    """The same six figures as the action get-stats, without the envelope."""
    get_stats.authorize(caller)
    settings: Settings = request.app.state.settings
    result: Stats = await read(
        request,
        lambda db: get_stats.run(Context(db, user_id, caller), GetStats()),
        reader=None if settings.stats_may_lag else user_id,
    )
    return result
