"""/admin/revocations: users, installations and keys are refused at once, and let in again."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request

from app.database.requests import get_db
from app.database.revocations import Revocations
from app.doors.admin.entrance import admin_router, answers
from app.errors import Full, NotFound
from app.http.examples import refuses
from app.logs import logger
from app.models.error import BODY_ERRORS
from app.models.page import MAX_LIMIT
from app.models.revocation import NewRevocation, Revocation, RevocationList
from app.services import administration, revocations
from app.state import author_of, resources_of

router = admin_router("/admin/revocations")


@router.post(
    "",
    status_code=201,
    summary="Revoke access",
    responses=answers(
        *(409, *BODY_ERRORS),
        status_409=f"There are {revocations.MOST_LIVE} of them.",
    ),
)
@refuses(on_409=Full(f"There are {revocations.MOST_LIVE} revocations; lift some first"))
async def revoke_access(request: Request, new: NewRevocation) -> Revocation:
    """Refuses what matches all that is named, within a second on every worker, with 403."""
    async with get_db(request, transaction=True) as db:
        made = await administration.revoke(db, author_of(request.scope), new)
    resources_of(request.scope)[Revocations].forget()
    logger.info("revocation_created", revocation_id=str(made.id))
    return made


@router.get("", summary="List revocations", responses=answers(422))
async def list_revocations(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
    cursor: Annotated[
        UUID | None, Query(description="`next_cursor` of the page before; absent: the newest.")
    ] = None,
) -> RevocationList:
    """A page of revocations, newest first; those that ended are kept for 400 days."""
    async with get_db(request) as db:
        return await revocations.list_revocations(db, cursor, limit)


@router.get(
    "/{revocation_id}",
    summary="One revocation",
    responses=answers(404, 422),
)
@refuses(on_404=NotFound("Revocation not found"))
async def read_revocation(request: Request, revocation_id: UUID) -> Revocation:
    """What is refused, why and since when."""
    async with get_db(request) as db:
        return await revocations.fetch_revocation(db, revocation_id)


@router.delete(
    "/{revocation_id}",
    status_code=204,
    summary="Lift a revocation",
    responses=answers(404, 422),
)
@refuses(on_404=NotFound("Revocation not found"))
async def lift_revocation(request: Request, revocation_id: UUID) -> None:
    """Lets in again what it refused, within a second."""
    async with get_db(request, transaction=True) as db:
        await administration.lift_revocation(db, author_of(request.scope), revocation_id)
    resources_of(request.scope)[Revocations].forget()
    logger.info("revocation_lifted", revocation_id=str(revocation_id))
