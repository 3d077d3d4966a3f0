"""/admin/users: what is kept of a user is shown, exported and purged.

The user is named in the query, where an id may have any character, and which no log has.
"""

from functools import partial
from typing import Annotated

from fastapi import Query, Request
from starlette.types import ASGIApp

from app.commands.handlers import users
from app.commands.handlers.mood import GetMood, get_mood
from app.commands.handlers.stats import GetStats, get_stats
from app.commands.perform import ask, perform
from app.commands.pieces import pieces
from app.database.requests import get_db
from app.doors.admin.entrance import admin_router, answers
from app.doors.platform.mood_picture import draw
from app.http.answers import ListResponse
from app.logs import logger
from app.models.text import UserId
from app.models.user_card import UserCard
from app.models.user_data import PurgedUser, UserExport
from app.services import feed
from app.state import Exchange

router = admin_router("/admin/users")

User = Annotated[UserId, Query()]
_SHOWN_CHANGES = 20


@router.get("", summary="One user", responses=answers(422))
async def read_user(request: Request, user_id: User) -> UserCard:
    """A user's tasks by status, mood with its reasons and as a picture, and last changes."""
    figures = await perform(request, get_stats, GetStats(), user_id=user_id)
    report = await perform(request, get_mood, GetMood(), user_id=user_id)
    async with get_db(request) as db:
        changes = await feed.fetch_latest_changes(db, user_id, _SHOWN_CHANGES)
    return UserCard.model_construct(
        user_id=user_id,
        tasks=figures,
        mood=report,
        picture=draw(report).decode(),
        changes=changes,
    )


@router.get("/export", summary="Export a user", response_model=UserExport, responses=answers(422))
async def export_user(request: Request, user_id: User) -> ASGIApp:
    """Everything kept of the user, as the action export-user returns it, without the envelope."""
    payload = users.ExportUser()
    first = await perform(request, users.export_user, payload, user_id=user_id)
    logger.info("user_exported", user_id=user_id)
    fetch = partial(ask, Exchange.of(request.scope), users.export_user, payload, reader=user_id)
    return ListResponse(pieces(first, fetch))


@router.delete("", summary="Purge a user", responses=answers(422))
async def purge_user(request: Request, user_id: User) -> PurgedUser:
    """Removes everything of the user for good, as the action purge-user does."""
    payload = users.PurgeUser()
    purged: PurgedUser = await perform(request, users.purge_user, payload, user_id=user_id)
    logger.info("user_purged", user_id=user_id)
    return purged
