"""The README says what is so."""

import re
from types import ModuleType

import pytest
from httpx import AsyncClient

from app.commands.registry import ACTION_HANDLERS, find_action
from app.doors import DOORS
from app.models.caller import Caller
from app.services import Connection
from tests.conftest import SERVICE_HEADERS, Execute
from tests.support.one_user import make_world, of_the_user, perform
from tests.support.pages import README

DEFINITION, REGISTRATION = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def doors_table() -> str:
    """The README's table of doors, as the doors describe themselves."""
    rows = ["| door | paths | credential | open when |", "|---|---|---|---|"]
    for door in DOORS:
        name = f"[{door.name}](docs/api.md#{door.name})"
        paths = ", ".join(f"`{path}`" for path in door.paths)
        rows.append(f"| {name} | {paths} | {door.credential} | {door.opened_by} |")
    return "\n".join(rows)


def test_the_table_of_doors_has_every_door_as_it_is() -> None:
    assert doors_table() in README


@pytest.fixture
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The action that the README defines, registered by the line that it prints."""
    module = ModuleType("open_tasks")
    exec(DEFINITION, module.__dict__)  # noqa: S102 - what a reader would paste
    (entry,) = eval(f"{{{REGISTRATION}}}", {"open_tasks": module}).items()  # noqa: S307
    monkeypatch.setitem(ACTION_HANDLERS, *entry)


@pytest.mark.usefixtures("_registered")
async def test_the_action_that_it_defines_answers(client: AsyncClient, execute: Execute) -> None:
    for status in ("pending", "in_progress", "completed"):
        await execute("create-task", title="Buy cat food", status=status)
    answer = await execute("count-open-tasks")
    assert (answer.status_code, answer.json()["data"]) == (200, {"open_tasks": 2})
    listed = await client.get("/actions/count-open-tasks", headers=SERVICE_HEADERS)
    assert listed.json()["description"].startswith("Returns how many of the user's tasks")


@pytest.mark.usefixtures("_registered")
async def test_the_action_that_it_defines_needs_no_more_to_be_tested_as_all_are(
    db: Connection,
) -> None:
    world = await make_world(db, "user_123")
    (payload,) = of_the_user()["count-open-tasks"](world)
    caller = Caller("service", "trusted")
    await perform(db, find_action("count-open-tasks"), "user_123", caller, payload)


def test_the_action_that_it_defines_has_twelve_lines() -> None:
    assert len([line for line in DEFINITION.splitlines() if line]) == 12
