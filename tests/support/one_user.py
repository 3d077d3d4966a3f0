"""One user with a row in every table, and what each action can be asked about them."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple
from uuid import UUID

from app.commands.action import Action, Context, OutsideContext
from app.commands.answers import answer_once, on_one_connection
from app.commands.models import Json
from app.commands.registry import actions
from app.database.encryption import Cipher
from app.errors import AppError
from app.models.call import CallFields
from app.models.caller import Caller
from app.models.category import CategoryFields
from app.models.change import cursor
from app.models.contact import ContactFields
from app.models.origin import PLATFORM
from app.models.preferences import PreferenceChanges
from app.models.secret import Providers, Verdict
from app.models.task import TaskChanges, TaskFields
from app.services import (
    Connection,
    calls,
    categories,
    contacts,
    deletions,
    preferences,
    secrets,
    tasks,
)
from app.state import Resources

_CIPHER = Cipher("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
_SECRET = "a-secret-of-more-than-20-characters"
_COMMAND = PLATFORM._replace(command_id="their-command")


async def _accept(_: str) -> Verdict:
    return Verdict("success", "The provider accepted the API key")


RESOURCES = Resources(_CIPHER, Providers({"gemini": _accept}))


class World(NamedTuple):
    """What a user has; `contact` is one and its own user, `call` is the contact's."""

    user_id: str
    task: UUID
    withdrawn: UUID
    category: UUID
    assigned: UUID
    contact: UUID
    call: UUID


async def make_world(db: Connection, user_id: str) -> World:
    """A task in a category and one that was withdrawn, each changed before, and all the rest."""
    task, withdrawn = [
        (await tasks.insert_task(db, user_id, TaskFields(title=title))).id
        for title in ("Feed cat", "Feed dog")
    ]
    category, assigned = [
        (await categories.insert_category(db, user_id, CategoryFields(name=name))).id
        for name in ("Litter", "Food")
    ]
    await tasks.update_task(db, task, user_id, TaskChanges(status="completed"), origin=_COMMAND)
    await categories.assign_category(db, task, assigned, user_id)
    await deletions.withdraw_task(db, withdrawn, user_id)
    await preferences.set_preferences(db, user_id, PreferenceChanges(time_zone="Asia/Tokyo"))
    await secrets.upsert_secret(db, user_id, "gemini", _CIPHER.encrypt(_SECRET), "a-se...ers")
    contact = await contacts.insert_contact(
        db, ContactFields(name="María", email="maria@example.com", company="Azollon")
    )
    call = await calls.insert_call(
        db, contact.id, None, CallFields(title="Call", scheduled_for="2030-01-01T10:00:00Z")
    )
    return World(user_id, task, withdrawn, category, assigned, contact.id, call.id)


def _call(world: World) -> dict[str, Any]:
    return {"user_id": world.contact, "title": "Call", "scheduled_for": "2030-01-01T10:00:00Z"}


def _batch(world: World) -> dict[str, Any]:
    commands: list[dict[str, Any]] = [
        {"action": "create-task", "payload": {"title": "Feed bird"}},
        {"action": "update-task", "payload": {"task_id": {"$ref": "0"}, "title": "Feed cow"}},
        {"action": "delete-task", "payload": {"task_id": world.task}},
        {"action": "delete-category", "payload": {"category_id": world.category}},
        {"action": "get-task", "payload": {"task_id": {"$ref": "0"}}},
    ]
    return {"commands": [{"id": str(number), **one} for number, one in enumerate(commands)]}


Ask = Callable[[World], list[dict[str, Any]]]

# By the name of the action; those under BY_ID name something of a user who is not told otherwise.
# An action that stands nowhere here is asked what its examples ask.
BY_ID: Mapping[str, Ask] = {
    "get-task": lambda world: [{"task_id": world.task}],
    "update-task": lambda world: [
        {"task_id": world.task, "status": "pending"},
        {"task_id": world.task, "title": "Feed cow", "expected_version": 3},
    ],
    "toggle-task": lambda world: [{"task_id": world.task}],
    "delete-task": lambda world: [
        {"task_id": world.task},
        {"task_id": world.task, "permanent": False},
        {"task_id": world.withdrawn, "permanent": True},
    ],
    "restore-task": lambda world: [{"task_id": world.withdrawn}],
    "assign-category": lambda world: [{"task_id": world.task, "category_id": world.category}],
    "unassign-category": lambda world: [{"task_id": world.task, "category_id": world.assigned}],
    "delete-category": lambda world: [{"category_id": world.assigned}],
}
BY_ID_OF_CONTACT: Mapping[str, Ask] = {
    "get-contact": lambda world: [{"contact_id": world.contact}],
    "schedule-call": lambda world: [_call(world)],
    "get-call": lambda world: [{"call_id": world.call}],
    "set-call-status": lambda world: [{"call_id": world.call, "status": "completed"}],
}
_OF_THE_USER: Mapping[str, Ask] = {
    "create-task": lambda _: [{"title": "Feed bird", "status": "completed"}],
    "list-tasks": lambda _: [{}, {"limit": 1, "search": "cat", "sort": "-due_date"}],
    "list-changes": lambda world: [{}, {"cursor": cursor(world.user_id, 0)}],
    "undo": lambda _: [
        {"command_id": "their-command"},
        *({"sequence": number} for number in range(1, 6)),
    ],
    "create-category": lambda _: [{"name": "Toys"}],
    "batch": lambda world: [_batch(world), {**_batch(world), "mode": "independent"}],
}
OF_ALL_CONTACTS: Mapping[str, Ask] = {
    "list-contacts": lambda _: [{}],
    "list-calls": lambda _: [{}],
}


def of_the_user() -> dict[str, Ask]:
    """What is asked of what is the user's own: as above or, of any other action, its examples."""
    others = {**BY_ID, **BY_ID_OF_CONTACT, **OF_ALL_CONTACTS}
    examples = {one.name: _examples(one) for one in actions() if one.name not in others}
    return {**examples, **_OF_THE_USER}


def _examples(action: Action) -> Ask:
    return lambda _: list(action.examples)


OF_THE_USER = of_the_user()


async def perform(
    db: Connection, action: Action, user_id: str, caller: Caller, payload: dict[str, Any]
) -> None:
    """Performs it to the end, a writing one under an idempotency key, and takes it back."""
    transaction = db.transaction()
    await transaction.start()
    try:
        await _perform(Context(db, user_id, caller, RESOURCES), action, action.validate(payload))
    except AppError as error:
        error.add_note(f"{__name__} says what {action.name} is asked, where its examples cannot")
        raise
    finally:
        await transaction.rollback()


async def _perform(context: Context, action: Action, payload: Any) -> None:
    if action.outside:
        outside = OutsideContext(
            lambda: nullcontext(context.db), context.user_id, context.caller, RESOURCES
        )
        await action.run_outside(outside, payload)
    elif action.composite:
        await action.perform(on_one_connection(context), payload)
    elif action.writes:
        for _ in range(2):
            answer = await answer_once(action, context, payload, "their-key")
        assert answer.is_success or action.name == "undo", answer.body
    else:
        result = await action.run(context, payload)
        if isinstance(result, Json):
            await result.whole(context.db)
