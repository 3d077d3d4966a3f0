"""What a door is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from fastapi import APIRouter

from app.config import Settings
from app.errors import AppError
from app.http.answers import ErrorShape
from app.http.cors import CrossOrigin
from app.state import Resources

Equip = Callable[[Resources, Settings], None]
Pasted = Callable[[Settings], Mapping[str, str]]
"""Security schemes, and what a developer pastes there."""


def _nothing(_: Settings) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Door:
    """One client dialect: where it is, who may enter, when it is open, how it words errors.

    `credential` and `opened_by` are for people; `development` has the values with which
    `python -m app dev` opens it. `equip` brings what its routers need besides the database.
    `tags` describes the groups of its operations, in order of use; `refusals` are its errors in its
    own words, by status; `pasted` tells what opens its security schemes in development.
    """

    name: str
    paths: tuple[str, ...]
    routers: Callable[[], Iterable[APIRouter]]
    credential: str
    opened_by: str = "always"
    is_open: Callable[[Settings], bool] = lambda _: True
    shape: ErrorShape | None = None
    equip: Equip | None = None
    cors: CrossOrigin = CrossOrigin.COMMANDS
    development: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    refusals: Mapping[int, AppError] = field(default_factory=dict)
    pasted: Pasted = _nothing
