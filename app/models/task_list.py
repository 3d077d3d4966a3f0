"""Lists of tasks: which tasks, in which order, and where a page goes on."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from app.models.instant import Instant, LastInstant
from app.models.page import ALL
from app.models.task import Priority, Status, Tag, Task
from app.models.text import STORABLE, VISIBLE

UntitledSort = Literal[
    "created_at",
    "-created_at",
    "updated_at",
    "-updated_at",
    "due_date",
    "-due_date",
    "priority",
    "-priority",
]
TaskSort = Literal[UntitledSort, "title", "-title"]
NEWEST_FIRST: TaskSort = "-created_at"


Search = Annotated[
    str,
    StringConstraints(max_length=200),
    VISIBLE,
    Field(
        description="Only tasks with this text, in any case, in the title or in the first "
        "2,000 characters of the description."
    ),
]


class TaskFilter(BaseModel):
    """Filters of a list of tasks; one that is absent or null does not restrict it."""

    status: Annotated[Status | None, Field(description="Only tasks with this status.")] = None
    priority: Annotated[Priority | None, Field(description="Only tasks of this priority.")] = None
    tags: Annotated[
        list[Tag] | None, Field(max_length=100, description="Only tasks with all of these tags.")
    ] = None
    due_from: Annotated[Instant | None, Field(description="Only tasks due then or later.")] = None
    due_to: Annotated[
        LastInstant | None,
        Field(description="Only tasks due then or earlier; a date includes its day."),
    ] = None
    search: Search | None = None


class CompletionFilter(TaskFilter):
    """The same filter for clients that only tell completed tasks from the others."""

    completed: bool | None = None


LONGEST_CURSOR = 32 * 1024
"""A title's key may be three times as long as the title, and four bytes a character."""


class Position(NamedTuple):
    """Where a page ends: what its last task is sorted by, and its id."""

    key: datetime | int | str
    id: UUID

    def cursor(self, sort: TaskSort) -> str:
        """The same, opaque, for the client to hand in for the next page."""
        key = self.key.isoformat() if isinstance(self.key, datetime) else self.key
        text = json.dumps([sort, key, str(self.id)], ensure_ascii=False)
        return urlsafe_b64encode(text.encode()).decode()

    @classmethod
    def of_cursor(cls, cursor: str, sort: TaskSort) -> Self:
        """The position; ValueError for a cursor that was not issued, or issued for another sort."""
        try:
            given_sort, key, task_id = json.loads(urlsafe_b64decode(cursor))
            position = cls(*_POSITIONS[sort.removeprefix("-")].validate_python((key, task_id)))
        except (ValidationError, ValueError, TypeError, RecursionError):
            raise ValueError("was not issued by list-tasks") from None
        if given_sort != sort:
            raise ValueError("was issued for another sort")
        return position


_INSTANT_POSITION: TypeAdapter[Any] = TypeAdapter(tuple[Instant, UUID])
_POSITIONS: dict[str, TypeAdapter[Any]] = {
    "created_at": _INSTANT_POSITION,
    "updated_at": _INSTANT_POSITION,
    "due_date": _INSTANT_POSITION,
    "priority": TypeAdapter(tuple[Annotated[int, Field(ge=0, le=4)], UUID]),
    "title": TypeAdapter(tuple[Annotated[str, STORABLE], UUID]),
}


class TaskList(BaseModel):
    """Tasks of one user in the order asked for, newest first unless another was."""

    tasks: list[Task]
    count: Annotated[int, Field(ge=0, description="Tasks in this answer.")]
    total: Annotated[
        int, Field(ge=0, description="Tasks on all pages; only where a page was asked for.")
    ] = 0
    next_cursor: Annotated[
        str | None,
        Field(description="For the next page; null on the last. Only where there are pages."),
    ] = None


PAGE_SIZE = 250
"""Tasks that are fetched at once: about 75 kB, so that none keeps the worker long."""


class Slice(NamedTuple):
    """Which part of a list: so many tasks after a position, or after so many others."""

    size: int = ALL
    after: Position | None = None
    offset: int = 0

    @property
    def at_once(self) -> int:
        """How many of them are fetched at once, unless they are too long."""
        return min(self.size, PAGE_SIZE)

    def without(self, fetched: int, last: Position | None) -> "Slice | None":
        """What is left after so many tasks, of which this was the last; None where nothing is."""
        left = self.size - fetched
        return Slice(left, last) if last and left else None


class CategorizedRows(NamedTuple):
    """A slice's first tasks, as many as are fetched at once, each with the ids of its categories.

    `rest` is what is left of the slice. Where they begin a list, `total` counts all of it, as it
    was in the same instant.
    """

    tasks: list[Task]
    category_ids: list[list[UUID]]
    rest: Slice | None
    total: int | None
