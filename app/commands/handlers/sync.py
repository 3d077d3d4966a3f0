"""What a client that was away needs: what changed meanwhile, and to take something back."""

from typing import Annotated

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from app.commands.action import Context, Example, action
from app.commands.payloads import invalid_field
from app.errors import AlreadyUndone, ChangedSince, CursorExpired, Gone, NotFound
from app.models.caller import PEOPLE, SERVICES
from app.models.change import LONGEST_CURSOR, Change, ChangeList, UndoOutcome, cursor, sequence_of
from app.models.number import LARGEST_WHOLE, WHOLE
from app.models.text import ClientId
from app.services import feed
from app.services.undo import undo_command, undo_sequence


class ListChanges(BaseModel):
    """Where to go on, and how many changes to return at most."""

    cursor: Annotated[
        str | None,
        Field(
            max_length=LONGEST_CURSOR,
            description="That of the answer before. Absent: no changes, and the cursor of now.",
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=500), WHOLE] = 100


@action(
    scope="tasks:read",
    replicable=True,
    allow=PEOPLE | SERVICES,
    raises=(CursorExpired,),
    examples=(
        Example("the cursor of now"),
        Example("what changed since a cursor", cursor=cursor("user_123", 0), limit=100),
    ),
)
async def list_changes(context: Context, payload: ListChanges) -> ChangeList:
    """Returns what changed in the user's tasks since the cursor, in the order of the commits.

    Take a cursor first, then list the tasks, then follow: nothing is missed. A cursor older than
    what is kept is 410.
    """
    last = await feed.fetch_last_sequence(context.db, context.user_id)
    known = _known(payload.cursor, context.user_id, last)
    if known == last:
        return _list([], context.user_id, known, last)
    changes = await feed.fetch_changes(context.db, context.user_id, known, payload.limit)
    known = changes[-1].sequence if changes else last
    return _list(changes, context.user_id, known, last)


def _list(changes: list[Change], user_id: str, known: int, last: int) -> ChangeList:
    return ChangeList.model_construct(
        changes=changes, cursor=cursor(user_id, known), has_more=known < last
    )


def _known(given: str | None, user_id: str, last: int) -> int:
    if given is None:
        return last
    try:
        known = sequence_of(given, user_id)
    except ValueError as error:
        raise invalid_field("cursor", str(error)) from None
    if known > last:
        raise invalid_field("cursor", "is from the future")
    return known


class Undo(BaseModel):
    """Names one change, or the command whose changes are to be undone together."""

    sequence: Annotated[
        Annotated[int, Field(ge=1, le=LARGEST_WHOLE), WHOLE] | None,
        Field(description="That of one change.", examples=[42]),
    ] = None
    command_id: Annotated[
        ClientId | None,
        Field(description="A command's; of an atomic batch any command's."),
    ] = None

    @model_validator(mode="after")
    def _one(self) -> "Undo":
        if (self.sequence is None) == (self.command_id is None):
            raise PydanticCustomError("one_of", "give either sequence or command_id")
        return self


@action(
    scope="tasks:write",
    writes=True,
    transaction=True,
    allow=PEOPLE | SERVICES,
    raises=(NotFound, ChangedSince, AlreadyUndone, Gone),
    examples=({"command_id": "1732190000000-k3j9x"},),
)
async def undo(context: Context, payload: Undo) -> UndoOutcome:
    """Restores what a change overwrote, or all changes of a command. It is itself a change.

    409 when one of the fields was changed since, or it is undone already; 410 when what was
    overwritten is not kept any more.
    """
    db, user_id, origin = context.db, context.user_id, context.origin
    if payload.sequence is not None:
        outcome = await undo_sequence(db, user_id, payload.sequence, origin)
    else:
        outcome = await undo_command(db, user_id, payload.command_id or "", origin)
    return UndoOutcome.model_construct(undone=outcome.sequences, tasks=outcome.tasks)
