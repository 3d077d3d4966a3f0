"""What a door says of itself is so."""

import re
from typing import Any

import pytest

from app.config import Settings
from app.doors import DOORS, Door
from tests.conftest import OPEN_DOORS


def settings_told(door: Door) -> set[str]:
    """The settings that it says open it."""
    names = set(re.findall("`([A-Z_]+)`", door.opened_by))
    return (
        names | settings_told(DOORS[DOORS.index(door) - 1])
        if "the same" in door.opened_by
        else names
    )


def settings_read(door: Door, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The settings that its `is_open` reads, with all doors open and with none."""
    read = set()

    def note(self: Settings, name: str) -> Any:
        read.add(name.upper())
        return object.__getattribute__(self, name)

    for values in ({}, OPEN_DOORS):
        settings = Settings(database_url="postgresql://127.0.0.1:1/none", **values)
        with monkeypatch.context() as patch:
            patch.setattr(Settings, "__getattribute__", note)
            door.is_open(settings)
    return read & {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_a_door_is_opened_by_the_settings_that_it_names(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = settings_read(door, monkeypatch)
    assert read - {"ENVIRONMENT"} == settings_told(door)
    tells_environment = bool(re.search("development|production", door.opened_by))
    assert ("ENVIRONMENT" in read) == tells_environment
