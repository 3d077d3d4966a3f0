"""How a list of tasks is spelled: the members of each, and other words for what is stored."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel

from app.models.task import Extra, Task

Others = Literal["as stored", "in capitals"] | bool


class Source(NamedTuple):
    """The column that a member shows, words for some of its values, and how others are shown."""

    column: str
    words: tuple[tuple[str, str | bool], ...] = ()
    others: Others = "as stored"


class Member(NamedTuple):
    """A member of a task as JSON."""

    name: str
    source: Source


Spelling = tuple[Member, ...]


def spelling(shown: type[BaseModel], **sources: Source) -> Spelling:
    """Tasks as the model has them; a member without a source shows the column of its field."""
    return tuple(
        Member(field.serialization_alias or name, sources.get(name, Source(name)))
        for name, field in shown.model_fields.items()
        if not field.exclude
    )


PLAIN = spelling(Task)


def plain(include: Sequence[Extra]) -> Spelling:
    """Tasks as commands show them, with what is included."""
    return (*PLAIN, *(Member(name, Source(name)) for name in include))
