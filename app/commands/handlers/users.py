"""What can be done with all that is kept of a user."""

from functools import partial

from pydantic import BaseModel
from pydantic_core import to_json

from app.commands.action import Context, action
from app.commands.models import Json
from app.models.caller import ADMINISTRATORS, SERVICES
from app.models.instant import timestamp
from app.models.user_data import PurgedUser, UserExport
from app.services import Connection, audit, users
from app.services.users import KEPT, Place


class ExportUser(BaseModel):
    """Empty: it is the user's data that is exported."""


@action(
    scope="users:export",
    by_name=True,
    watched=True,
    transaction=True,
    allow=SERVICES | ADMINISTRATORS,
    examples=({},),
)
async def export_user(context: Context, payload: ExportUser) -> Json[UserExport]:
    """Returns everything kept of the user, a list for each table; secrets are left out or masked.

    It comes in parts, each as new as the moment at which it is read. A key without scopes, or with
    `*`, may not do this.
    """
    await audit.record(context.db, context.author, "user.exported", f"user/{context.user_id}")
    opening = b'{"user_id":%b,"exported_at":"%b"' % (
        to_json(context.user_id),
        timestamp().encode(),
    )
    return await _go_on(context.db, context.user_id, Place(0), opening)


async def _go_on(
    db: Connection, user_id: str, place: Place, opening: bytes = b"]"
) -> Json[UserExport]:
    """The export from here on; `opening` ends what comes before the table."""
    rows, rest = await users.export_rows(db, user_id, place)
    frame = None
    if place.after is None:
        frame = b'%b,"%b":[' % (opening, KEPT[place.table].table.encode())
    if rest is None:
        return Json(rows, frame, b"]}")
    return Json(rows, frame, rest=partial(_go_on, user_id=user_id, place=rest))


class PurgeUser(BaseModel):
    """Empty: it is the user's data that is removed."""


@action(
    scope="users:purge",
    writes=True,
    by_name=True,
    transaction=True,
    forgets=True,
    allow=SERVICES | ADMINISTRATORS,
    examples=({},),
)
async def purge_user(context: Context, payload: PurgeUser) -> PurgedUser:
    """Removes everything of the user for good, an account or a contact of this id included.

    One change, `user.purged`, is left, without content. A key without scopes, or with `*`, may not
    do this.
    """
    purged = await users.purge_user(context.db, context.user_id)
    subject = f"user/{context.user_id}"
    await audit.record(context.db, context.author, "user.purged", subject, after=purged)
    return purged
