"""Changes of tasks as a client follows them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from struct import Struct
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.models.task import Priority, Status, Task

ChangeType = Literal[
    "task.created",
    "task.updated",
    "task.completed",
    "task.reopened",
    "task.deleted",
    "task.restored",
]

LONGEST_CURSOR = 200
_CURSOR = Struct(">Q8s")


def cursor(user_id: str, sequence: int) -> str:
    """Says, in the user's feed, that all up to and including this change is known."""
    return urlsafe_b64encode(_CURSOR.pack(sequence, _mark(user_id))).decode()


def sequence_of(text: str, user_id: str) -> int:
    """The last change known at this cursor; ValueError when it is none, or another user's."""
    try:
        sequence, mark = _CURSOR.unpack(urlsafe_b64decode(text.encode("ascii")))
    except Exception:
        raise ValueError("was not issued by list-changes") from None
    if mark != _mark(user_id):
        raise ValueError("is another user's")
    if text != cursor(user_id, sequence):  # the decoder passes over what is no Base64
        raise ValueError("was not issued by list-changes")
    return int(sequence)


def _mark(user_id: str) -> bytes:
    return sha256(user_id.encode()).digest()[:8]


class Author(BaseModel):
    """Who made a change: kind of credential and its name, and whose device it was, if it said."""

    kind: str
    name: str
    installation_id: str | None


class ChangedTask(BaseModel):
    """A task as it is now, with what only some answers show."""

    id: UUID
    user_id: str
    title: str
    description: str | None
    status: Status
    priority: Priority | None
    created_at: datetime
    completed_at: datetime | None
    due_date: datetime | None
    tags: list[str]
    updated_at: datetime
    version: int


class Change(BaseModel):
    """One write of one task."""

    sequence: Annotated[int, Field(description="Grows by one with each change of the user.")]
    type: ChangeType
    task_id: UUID
    occurred_at: datetime
    fields: Annotated[list[str], Field(description="What was overwritten.")]
    before: Annotated[
        dict[str, Any] | None,
        Field(description="What `fields` held before; null where it is not kept any more."),
    ]
    task: Annotated[
        ChangedTask | None, Field(description="As it is when read; null when it is gone.")
    ]
    by: Annotated[Author | None, Field(description="Null where nobody noted it.")]
    command_id: Annotated[
        str | None, Field(description="The command's idempotency key, else the request's id.")
    ]


class ChangeList(BaseModel):
    """Changes in the order of their sequence, and where to go on."""

    changes: list[Change]
    cursor: Annotated[str, Field(max_length=LONGEST_CURSOR)]
    has_more: Annotated[bool, Field(description="Whether to ask again at once.")]


class UndoOutcome(BaseModel):
    """The changes that were undone, and their tasks as they are now, unless they are gone."""

    undone: list[int]
    tasks: list[Task]
