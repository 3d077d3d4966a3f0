"""A user who is purged while somebody writes for them: it comes before the purge or after it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from app.errors import NotFound
from app.models.call import Call, CallFields
from app.models.category import CategoryFields
from app.models.contact import Contact, ContactFields
from app.models.preferences import PreferenceChanges
from app.models.task import TaskFields
from app.services import (
    Connection,
    calls,
    categories,
    contacts,
    preferences,
    secrets,
    tasks,
)
from app.services.locks import lock_named
from app.services.log import follow
from app.services.users import KEPT, purge_user
from app.services.webhook_deliveries import TAKING
from tests.services.test_category_races import waiting
from tests.support.receiver import add_endpoint

Write = Callable[[Connection, str], Coroutine[Any, Any, object]]
CALL = CallFields.model_validate({"title": "Vet", "scheduled_for": "2030-01-01T10:00:00Z"})
LEFT = {"changes", "change_counts"}


async def purge(db: Connection, user_id: str) -> None:
    async with db.transaction():
        await purge_user(db, user_id)


async def kept(db: Connection, user_id: str) -> set[str]:
    """The tables that have something of the user."""
    found = set()
    for table in KEPT:
        if await db.fetchval(f"SELECT count(*) FROM {table.table} WHERE {table.owner}", user_id):
            found.add(table.table)
    return found


async def with_a_call(db: Connection) -> tuple[Contact, Call]:
    fields = ContactFields(name="María", email="maria@example.com", company="Azollon")
    contact = await contacts.insert_contact(db, fields)
    return contact, await calls.insert_call(db, contact.id, None, CALL)


async def create_category(db: Connection, user_id: str) -> None:
    await categories.insert_category(db, user_id, CategoryFields(name="Litter"))


async def set_secret(db: Connection, user_id: str) -> None:
    await secrets.upsert_secret(db, user_id, "gemini", b"sealed", "mask")


async def set_preferences(db: Connection, user_id: str) -> None:
    await preferences.set_preferences(db, user_id, PreferenceChanges(time_zone="Europe/Madrid"))


@pytest.mark.parametrize("write", [create_category, set_secret, set_preferences])
async def test_what_was_under_way_is_removed_too(crowd: list[Connection], write: Write) -> None:
    writer, purger, observer, *_ = crowd
    async with writer.transaction():
        await write(writer, "user_123")
        purging = asyncio.create_task(purge(purger, "user_123"))
        await waiting(observer, 1)
    await purging
    assert await kept(observer, "user_123") == LEFT


async def test_what_webhooks_were_taking_over_is_removed_too(crowd: list[Connection]) -> None:
    feeding, purger, observer, *_ = crowd
    log = await follow(observer, TAKING)
    await add_endpoint(observer, "https://example.com/hook", ["*"])
    await tasks.insert_task(observer, "user_123", TaskFields(title="Feed cat"))
    async with feeding.transaction():
        assert await log.take(feeding) == 1
        purging = asyncio.create_task(purge(purger, "user_123"))
        await waiting(observer, 1)
    await purging
    assert await kept(observer, "user_123") == LEFT


async def test_call_with_whom_is_being_purged_is_not_scheduled(crowd: list[Connection]) -> None:
    scheduler, purger, observer, *_ = crowd
    contact, _ = await with_a_call(observer)
    async with purger.transaction():
        await purge_user(purger, str(contact.id))
        scheduling = asyncio.create_task(calls.insert_call(scheduler, contact.id, None, CALL))
        await waiting(observer, 1)
    with pytest.raises(NotFound):
        await scheduling
    assert await kept(observer, str(contact.id)) == LEFT


async def test_call_that_a_batch_was_scheduling_is_removed_too(crowd: list[Connection]) -> None:
    scheduler, purger, observer, *_ = crowd
    contact, _ = await with_a_call(observer)
    async with scheduler.transaction():
        await lock_named(scheduler, "partner", None, {"user_id": [contact.id]})
        purging = asyncio.create_task(purge(purger, str(contact.id)))
        await waiting(observer, 1)
        await calls.insert_call(scheduler, contact.id, None, CALL)
    await purging
    assert await kept(observer, str(contact.id)) == LEFT


async def test_purge_and_a_call_that_changes_never_wait_for_each_other(
    crowd: list[Connection],
) -> None:
    busy, purger, changing, observer, *_ = crowd
    contact, call = await with_a_call(observer)
    async with busy.transaction():
        await set_preferences(busy, str(contact.id))
        purging = asyncio.create_task(purge(purger, str(contact.id)))
        await waiting(observer, 1)
        change = asyncio.create_task(calls.set_status(changing, call.id, None, "cancelled"))
        await waiting(observer, 2)
    await purging
    with suppress(NotFound):  # or it came first
        await change
    assert await kept(observer, str(contact.id)) == LEFT
