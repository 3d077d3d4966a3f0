"""list-contacts and list-calls, page by page."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.commands.catalogue import input_schema, output_schema
from app.commands.handlers.calls import list_calls
from app.commands.handlers.contacts import list_contacts
from app.models.task_list import Position
from tests.conftest import MISSING_ID, CallFactory, ContactFactory, Execute

ACTIONS = {"contacts": list_contacts, "calls": list_calls}


@pytest.mark.parametrize(("member", "count"), [("contacts", 0), ("contacts", 5), ("calls", 6)])
async def test_each_page_says_where_the_next_begins(
    execute: Execute, make_contact: ContactFactory, make_call: CallFactory, member: str, count: int
) -> None:
    for _ in range(count):
        await make_call(await make_contact())
    found, payload = [], {"limit": 2}
    while payload:
        Draft202012Validator(input_schema(ACTIONS[member])).validate(payload)
        page = (await execute(f"list-{member}", **payload)).json()["data"]
        Draft202012Validator(output_schema(ACTIONS[member])).validate(page)
        found += [entry["id"] for entry in page[member]]
        payload = {"limit": 2, "cursor": page["next_cursor"]} if page["next_cursor"] else {}
    assert found == sorted(set(found), reverse=True)
    assert len(found) == count


async def test_a_filter_holds_on_every_page(
    execute: Execute, make_contact: ContactFactory, make_call: CallFactory
) -> None:
    contact = await make_contact()
    for number in range(6):
        call = await make_call(contact, title=str(number))
        if number % 2:
            await execute("set-call-status", call_id=str(call.id), status="completed")
    only: dict[str, Any] = {"status": "completed", "limit": 2}
    first = (await execute("list-calls", **only)).json()["data"]
    rest = (await execute("list-calls", **only, cursor=first["next_cursor"])).json()["data"]
    titles = [call["title"] for call in (*first["calls"], *rest["calls"])]
    assert (titles, rest["next_cursor"]) == (["5", "3", "1"], None)


@pytest.mark.parametrize("action", ["list-contacts", "list-calls"])
@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "\u0000",
        "e30=",
        "W10=",
        "x" * 201,
        7,
        Position(3, MISSING_ID).cursor("priority"),
    ],
)
async def test_what_is_no_cursor_of_such_a_list_is_refused(
    execute: Execute, action: str, cursor: object
) -> None:
    answer = await execute(action, cursor=cursor)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("cursor: ")


async def test_there_is_one_way_to_name_a_page(
    execute: Execute, make_contact: ContactFactory
) -> None:
    contact = await make_contact()
    page = (await execute("list-contacts", limit=1)).json()["data"]
    after = {"id": str(contact.id), "created_at": contact.created_at.isoformat()}
    both = await execute("list-contacts", cursor=page["next_cursor"], after=after)
    assert (both.status_code, both.json()["detail"]) == (400, "cursor and after exclude each other")
