"""GET /admin/audit: what administrators did."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Security

from app.auth.shared_keys import ADMIN_KEY, admin_key
from app.database.requests import get_db
from app.doors.admin.keys import UNAUTHORIZED
from app.http.guard import guarded
from app.models.audit import Trail
from app.models.error import documented
from app.models.page import MAX_LIMIT
from app.services import audit

router = APIRouter(
    prefix="/admin",
    route_class=guarded(admin_key),
    dependencies=[Security(ADMIN_KEY)],
    tags=["admin"],
)


@router.get(
    "/audit",
    summary="The audit trail",
    responses=documented(401, 422, status_401=UNAUTHORIZED),
)
async def read_trail(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
    cursor: Annotated[
        UUID | None, Query(description="`next_cursor` of the page before; absent: the newest.")
    ] = None,
) -> Trail:
    """A page of what administrators did, newest first, for 400 days, by whatever way they came."""
    async with get_db(request) as db:
        return await audit.list_acts(db, cursor, limit)
