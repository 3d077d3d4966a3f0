"""GET /stats: a user's figures, bare, as Cat House reads them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Security

from app.auth.service_keys import SERVICE_KEY, service_key
from app.commands.handlers.stats import GetStats, get_stats
from app.commands.perform import perform
from app.config import Settings
from app.http.guard import guarded
from app.models.error import Error, documented
from app.models.stats import Stats
from app.models.text import UserId
from app.state import resources_of

router = APIRouter(
    route_class=guarded(service_key), dependencies=[Security(SERVICE_KEY)], tags=["stats"]
)


_NO_UTF8: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "The query is not UTF-8."}
}


@router.get(
    "/stats",
    summary="Statistics of one user",
    responses=_NO_UTF8 | documented(401, 403, 422),
)
async def read_stats(request: Request, user_id: Annotated[UserId, Query()]) -> Stats:
    """The same six figures as the action get-stats, without the envelope."""
    settings = resources_of(request.scope)[Settings]
    reader = None if settings.stats_may_lag else user_id
    result: Stats = await perform(request, get_stats, GetStats(), user_id=user_id, reader=reader)
    return result
