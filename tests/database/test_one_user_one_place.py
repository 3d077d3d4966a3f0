"""Each statement for one user finds all it needs where that user's rows are, and nowhere else.

The tables are divided by user here, and every statement of the service is explained: so it is known
beforehand what an engine would do that shards by user.
"""

from collections.abc import AsyncIterator, Iterator, Mapping

import asyncpg
import pytest

from app.commands.action import Context
from app.commands.handlers import contact_tasks, task_rows
from app.commands.handlers.task_rows import SpelledQuery, TaskQuery
from app.commands.registry import ACTION_HANDLERS, actions, find_action
from app.database.distribution import NOT_OWNED, OWNED
from app.errors import NotFound
from app.models.caller import Caller
from app.models.spelling import PLAIN
from app.models.task_list import TaskFilter
from app.services import calls
from tests.conftest import MISSING_ID
from tests.support.databases import create_clone, run_with
from tests.support.one_user import (
    BY_ID,
    BY_ID_OF_CONTACT,
    OF_ALL_CONTACTS,
    OF_THE_USER,
    Ask,
    World,
    make_world,
    perform,
)
from tests.support.partitions import CrossingError, Watched, divide

USER, OTHER = "user_123", "another"
PERSON = Caller("user", USER)
TRUSTED = Caller("service", "trusted")
BOUND = Caller("service", "bound", enforce_ownership=True)
PARTNER = Caller("partner", "partner")
each_caller = pytest.mark.parametrize("caller", [PERSON, TRUSTED, BOUND], ids=lambda one: one.name)


@pytest.fixture(scope="module")
def divided_url(server_url: str, template: str) -> Iterator[str]:
    with create_clone(server_url, template) as url:
        run_with(url, divide)
        yield url


@pytest.fixture(scope="module")
async def _connection(divided_url: str) -> AsyncIterator[Watched]:
    connection = await asyncpg.connect(divided_url, connection_class=Watched)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def world(_connection: Watched) -> World:
    return await make_world(_connection, USER)


@pytest.fixture
async def db(_connection: Watched, world: World) -> AsyncIterator[Watched]:
    """On divided tables: a statement that crosses, and is not named in `crossings`, fails."""
    _connection.crossed.clear()
    transaction = _connection.transaction()
    await transaction.start()
    yield _connection
    await transaction.rollback()


def each_action(asks: Mapping[str, Ask]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("name", "ask"), asks.items(), ids=asks.keys())


def test_every_action_is_performed_here() -> None:
    performed = {**BY_ID, **BY_ID_OF_CONTACT, **OF_THE_USER, **OF_ALL_CONTACTS}
    assert set(performed) == set(ACTION_HANDLERS)
    assert [one.name for one in actions() if not one.examples] == []


@each_caller
@each_action({**BY_ID, **OF_THE_USER})
async def test_what_is_the_users_own_is_found_in_one_place(
    db: Watched, world: World, name: str, ask: Ask, caller: Caller
) -> None:
    for payload in ask(world):
        await perform(db, find_action(name), USER, caller, payload)
    assert db.crossed == set()


@pytest.mark.parametrize("caller", [TRUSTED, BOUND], ids=lambda one: one.name)
@each_action(BY_ID_OF_CONTACT)
async def test_what_is_a_contacts_own_is_found_in_one_place(
    db: Watched, world: World, name: str, ask: Ask, caller: Caller
) -> None:
    for payload in ask(world):
        await perform(db, find_action(name), str(world.contact), caller, payload)
    assert db.crossed == set()


@each_action({**BY_ID, **BY_ID_OF_CONTACT})
async def test_who_is_trusted_reaches_anybodys_and_asks_all_places_only_then(
    db: Watched, world: World, name: str, ask: Ask
) -> None:
    for payload in ask(world):
        await perform(db, find_action(name), OTHER, TRUSTED, payload)


@each_action({**BY_ID, **BY_ID_OF_CONTACT})
async def test_who_is_bound_to_another_user_finds_nothing(
    db: Watched, world: World, name: str, ask: Ask
) -> None:
    for payload in ask(world):
        context = Context(db, OTHER, BOUND)
        action = find_action(name)
        with pytest.raises(NotFound):
            await action.run(context, action.validate(payload))


async def test_a_batch_of_anybodys_rows_is_for_who_is_trusted(db: Watched, world: World) -> None:
    named = [
        ("set-call-status", {"call_id": world.call, "status": "completed"}),
        ("schedule-call", BY_ID_OF_CONTACT["schedule-call"](world)[0]),
        ("update-task", {"task_id": world.task, "title": "Feed cow"}),
    ]
    commands = [
        {"id": str(number), "action": name, "payload": payload}
        for number, (name, payload) in enumerate(named)
    ]
    await perform(db, find_action("batch"), OTHER, TRUSTED, {"commands": commands})
    assert db.crossed


@each_action(OF_ALL_CONTACTS)
async def test_the_list_of_one_contact_is_found_in_one_place(
    db: Watched, world: World, name: str, ask: Ask
) -> None:
    await perform(db, find_action(name), str(world.contact), BOUND, {})
    assert db.crossed == set()
    await perform(db, find_action(name), USER, TRUSTED, {})
    assert len(db.crossed) == 1


async def test_what_doors_ask_beside_the_registry_is_found_in_one_place(
    db: Watched, world: World
) -> None:
    context = Context(db, USER, PERSON)
    query = TaskQuery(TaskFilter(search="cat"))
    await task_rows.find_tasks.run(context, SpelledQuery(query, PLAIN))
    await task_rows.find_categorized_tasks.run(context, query)
    assert await task_rows.find_labels.run(context, [world.category, MISSING_ID])
    wanted = contact_tasks.ListContactTasks(user_id=str(world.contact))
    partner = Context(db, "", PARTNER)
    await contact_tasks.list_contact_tasks.run(partner, wanted)
    made = contact_tasks.CreateContactTask(user_id=world.contact, title="Call back")
    await contact_tasks.create_contact_task.run(partner, made)
    assert db.crossed == set()


async def test_an_unnamed_statement_that_crosses_fails(
    db: Watched, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await calls.fetch_call(db, world.call, None)
    monkeypatch.setattr(db, "across", ())
    with pytest.raises(CrossingError, match="looks in 4 partitions"):
        await calls.fetch_call(db, world.call, None)


_KEYS = """
SELECT conrelid::regclass::text AS table, contype::text AS kind,
    array_agg(attname::text ORDER BY attname) AS columns
FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
WHERE contype IN ('p', 'u', 'f') AND conrelid = ANY ($1::text[]::regclass[])
GROUP BY pg_constraint.oid, conrelid, contype
"""
_TABLES = """
SELECT attrelid::regclass::text AS table, format_type(atttypid, atttypmod) AS type
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE attname = 'user_id' AND relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
    AND NOT relispartition
"""


async def test_every_key_of_a_users_rows_names_the_user(db: Watched) -> None:
    keys = await db.fetch(_KEYS, OWNED)
    assert {key["table"] for key in keys if key["kind"] == "p"} == set(OWNED)
    assert [key for key in keys if "user_id" not in key["columns"]] == []


async def test_a_table_with_a_user_is_divided_or_says_why_not(db: Watched) -> None:
    types = {row["table"]: row["type"] for row in await db.fetch(_TABLES)}
    assert set(types) == {*OWNED, *NOT_OWNED}
    assert {types[table] for table in OWNED} == {"character varying(255)"}
