"""GET /admin/audit: what administrators did."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request

from app.database.requests import get_db
from app.doors.admin.entrance import admin_router, answers
from app.models.audit import Trail
from app.models.page import MAX_LIMIT
from app.services import audit

router = admin_router()


@router.get(
    "/audit",
    summary="Audit trail",
    responses=answers(422),
)
async def read_audit_trail(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
    cursor: Annotated[
        UUID | None, Query(description="`next_cursor` of the page before; absent: the newest.")
    ] = None,
) -> Trail:
    """A page of what administrators did, newest first, for 400 days, by whatever way they came."""
    async with get_db(request) as db:
        return await audit.list_acts(db, cursor, limit)
