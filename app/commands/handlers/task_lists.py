"""Lists of tasks."""

from functools import partial
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError, to_json

from app.commands.action import Context, Example, action
from app.commands.models import Json
from app.models.caller import PEOPLE, SERVICES
from app.models.number import WHOLE
from app.models.spelling import Spelling, plain
from app.models.task_list import (
    LONGEST_CURSOR,
    NEWEST_FIRST,
    Position,
    Slice,
    TaskFilter,
    TaskList,
    TaskSort,
)
from app.services import Connection, task_lists

_PAGE_SIZE = 20


class ListTasks(TaskFilter):
    """Filters, which let everything through where absent or null; order; and which page."""

    deleted: Annotated[
        Annotated[bool, Field(strict=True)] | None,
        Field(description="True: the tasks deleted with permanent false, which others leave out."),
    ] = None
    sort: Annotated[TaskSort, Field(description="With `-` the greatest first.")] = NEWEST_FIRST
    limit: Annotated[
        Annotated[int, Field(ge=1, le=100), WHOLE] | None,
        Field(description="Tasks a page; default 20 where there are pages."),
    ] = None
    page: Annotated[
        Annotated[int, Field(ge=1, le=1_000_000), WHOLE] | None,
        Field(description="The number of the page, from 1."),
    ] = None
    cursor: Annotated[
        str | None,
        Field(
            max_length=LONGEST_CURSOR,
            description="`next_cursor` of the page before: no task is skipped "
            "or repeated while others are written.",
        ),
    ] = None

    @model_validator(mode="after")
    def _one_way_to_page(self) -> "ListTasks":
        if self.page is not None and self.cursor is not None:
            raise PydanticCustomError("pages", "page and cursor exclude each other")
        return self

    @field_validator("cursor")
    @classmethod
    def _ours(cls, cursor: str | None, known: ValidationInfo) -> str | None:
        if cursor is not None and "sort" in known.data:
            try:
                Position.of_cursor(cursor, known.data["sort"])
            except ValueError as error:
                raise PydanticCustomError("cursor", str(error)) from None
        return cursor

    @property
    def is_paged(self) -> bool:
        """Whether a page is asked for, and not the whole list."""
        return any(given is not None for given in (self.limit, self.page, self.cursor))

    @property
    def part(self) -> Slice:
        """The page, or the whole list."""
        if not self.is_paged:
            return Slice()
        size = self.limit or _PAGE_SIZE
        after = None if self.cursor is None else Position.of_cursor(self.cursor, self.sort)
        return Slice(size, after, size * ((self.page or 1) - 1))


@action(
    scope="tasks:read",
    replicable=True,
    searches=lambda payload: payload.search is not None,
    allow=PEOPLE | SERVICES,
    examples=(
        Example("all, newest first"),
        Example("pending ones", status="pending"),
        Example("due this week", due_from="2026-12-14T00:00:00Z", due_to="2026-12-20T23:59:59Z"),
        Example("page by page, what is due first", sort="due_date", limit=20),
    ),
)
async def list_tasks(context: Context, payload: ListTasks) -> Json[TaskList]:
    """Returns the user's tasks, newest first unless sorted otherwise, and their count.

    With limit, page or cursor it returns one page, and next_cursor for the one that follows;
    with page also the total. Without them it returns all tasks.
    """
    listing = _Listing(context.user_id, payload, plain(context.options.include))
    return await listing.go_on(context.db, payload.part, b'{"tasks":[')


class _Listing(NamedTuple):
    """One answer of list-tasks: what was asked for, and what is known so far."""

    user_id: str
    payload: ListTasks
    spelling: Spelling
    total: int | None = None
    size: int = 0

    async def go_on(
        self, db: Connection, part: Slice, opening: bytes | None = None
    ) -> Json[TaskList]:
        """The answer from here on, of which a long one has a rest; its first part has the total."""
        payload = self.payload
        with_total = opening is not None and payload.page is not None
        page = await task_lists.fetch_page(
            db, self.user_id, payload, payload.sort, part, self.spelling, with_total=with_total
        )
        total = page.total if with_total else self.total
        listed = self._replace(size=self.size + page.size, total=total)
        if page.rest is None:
            return Json(page.tasks, opening, listed.closing(page.last))
        return Json(page.tasks, opening, rest=partial(listed.go_on, part=page.rest))

    def closing(self, last: Position | None) -> bytes:
        """What follows the tasks."""
        members: dict[str, int | str | None] = {"count": self.size}
        if self.total is not None:
            members["total"] = self.total
        if self.payload.is_paged:
            members["next_cursor"] = last.cursor(self.payload.sort) if last else None
        return b"]," + to_json(members)[1:]
