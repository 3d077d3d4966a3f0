import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.commands.action import Action, Context
from app.commands.handlers.calls import ListCalls, list_calls, schedule_call
from app.commands.handlers.contact_tasks import (
    CreateContactTask,
    SetContactTaskStatus,
    create_contact_task,
    set_contact_task_status,
)
from app.commands.handlers.contacts import GetContact, ListContacts, get_contact, list_contacts
from app.errors import Forbidden, NotFound
from app.models.call import CallFields
from app.models.caller import Caller
from app.models.page import Page, Place
from app.services import Connection, calls, contacts
from tests.conftest import MISSING_ID, CallFactory, ContactFactory, TaskFactory

PARTNER = Caller("partner", "partner")
CALL = CallFields(title="Onboarding", scheduled_for=datetime(2026, 12, 20, tzinfo=UTC))
_LOG = """
SELECT kind, operation, entity_id, sequence, fields FROM changes WHERE user_id = $1
ORDER BY position
"""


async def test_what_happens_to_a_contact_is_logged_and_only_its_tasks_are_counted(
    db: Connection, make_contact: ContactFactory, make_call: CallFactory
) -> None:
    contact = await make_contact()
    call = await make_call(contact)
    context = Context(db, "", PARTNER)
    new = CreateContactTask(title="Follow up", user_id=contact.id)
    task = await create_contact_task.run(context, new)
    await calls.set_status(db, call.id, None, "completed")
    cancelled = SetContactTaskStatus(task_id=task.id, status="cancelled")
    await set_contact_task_status.run(context, cancelled)
    assert [tuple(row) for row in await db.fetch(_LOG, str(contact.id))] == [
        ("contact", "created", contact.id, None, []),
        ("call", "created", call.id, None, []),
        ("task", "created", task.id, 1, []),
        ("call", "updated", call.id, None, ["status"]),
        ("task", "updated", task.id, 2, ["status"]),
    ]


async def test_a_task_of_nobody_has_an_owner_that_no_other_door_can_name(db: Connection) -> None:
    task = await create_contact_task.run(Context(db, "", PARTNER), CreateContactTask(title="x"))
    assert task.user_id is None
    assert [row["entity_id"] for row in await db.fetch(_LOG, "")] == [task.id]


async def test_failed_writes_append_nothing(db: Connection) -> None:
    with pytest.raises(NotFound):
        await calls.insert_call(db, MISSING_ID, None, CALL)
    with pytest.raises(NotFound):
        await calls.set_status(db, MISSING_ID, None, "completed")
    assert await db.fetchval("SELECT count(*) FROM changes") == 0


async def test_pages_follow_one_another_without_gap_or_repetition(
    db: Connection, make_contact: ContactFactory
) -> None:
    # One transaction has one instant, so that only the ids tell them apart.
    made = [(await make_contact()).id for _ in range(5)]
    found: list[UUID] = []
    page = Page(limit=2)
    while entries := (await contacts.list_contacts(db, None, page)).entries:
        found += [entry.id for entry in entries]
        page = Page(limit=2, after=Place.model_validate(entries[-1].model_dump()))
    assert found == sorted(made, reverse=True)


async def listed(action: Action, context: Context, payload: Page) -> Any:
    return json.loads((await action.run(context, payload)).text)


async def test_a_key_that_enforces_ownership_sees_its_own_contact_only(
    db: Connection, make_contact: ContactFactory, make_call: CallFactory
) -> None:
    mine, foreign = await make_contact(), await make_contact()
    for contact in (mine, foreign):
        await make_call(contact)
    caller = Caller("service", "limited", enforce_ownership=True)
    context = Context(db, str(mine.id), caller)
    assert (await listed(list_contacts, context, ListContacts()))["contacts"] == [
        mine.model_dump(mode="json")
    ]
    assert await get_contact.run(context, GetContact(contact_id=mine.id)) == mine
    with pytest.raises(NotFound):
        await get_contact.run(context, GetContact(contact_id=foreign.id))
    [call] = (await listed(list_calls, context, ListCalls()))["calls"]
    assert call["user_id"] == str(mine.id)
    others = await listed(list_calls, context, ListCalls(user_id=str(foreign.id)))
    assert others == {"calls": [], "next_cursor": None}
    with pytest.raises(NotFound):
        await calls.fetch_call(db, UUID(call["id"]), str(foreign.id))
    scheduled = schedule_call.validate({**CALL.model_dump(), "user_id": foreign.id})
    with pytest.raises(NotFound):
        await schedule_call.run(context, scheduled)


async def test_only_partners_may_cancel_tasks(db: Connection, make_task: TaskFactory) -> None:
    task = await make_task()
    payload = SetContactTaskStatus(task_id=task.id, status="cancelled")
    for kind in ("service", "user", "delegate", "admin"):
        with pytest.raises(Forbidden):
            set_contact_task_status.authorize(Caller(kind, "x"))
    with pytest.raises(NotFound):
        await set_contact_task_status.run(Context(db, "", PARTNER), payload)
