"""Writes as functions where the user's rows are: partitions stand for the parts on the nodes."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from asyncpg.connection import LoggedQuery

from app.commands.registry import find_action
from app.database.connector import Connector
from app.database.delegation import DELEGATED, delegate, find_delegated, find_undelegated
from app.models.caller import Caller
from app.models.origin import PLATFORM
from app.models.task import TaskFields
from app.services import Connection, deletions, feed, tasks, undo
from tests.support.one_user import BY_ID, BY_ID_OF_CONTACT, OF_THE_USER, make_world, perform
from tests.support.partitions import NUMBER, divide

USER, OTHER = "user_123", "another"
WRITES = ("create-task", "batch", "undo", "create-category", "create-contact", "set-preferences")
TRUSTED = Caller("service", "trusted")
_NAMES = f"""
CREATE TABLE delegated (name regprocedure, by text, number serial);
CREATE FUNCTION create_distributed_function(
    name regprocedure, by text, colocate_with text, force_delegation boolean
) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO delegated (name, by) VALUES (name, by);
END;
CREATE FUNCTION get_shard_id_for_distribution_column(name regclass, user_id text)
RETURNS text LANGUAGE sql BEGIN ATOMIC
    SELECT 'p' || number FROM generate_series(0, {NUMBER - 1}) AS number
    WHERE satisfies_hash_partition(name, {NUMBER}, number, user_id::varchar);
END;
"""
# A trigger is where its rows are.
_NOWHERE = """
ALTER FUNCTION get_shard_id_for_distribution_column RENAME TO find_part;
CREATE FUNCTION get_shard_id_for_distribution_column(name regclass, user_id text)
RETURNS text LANGUAGE sql
RETURN CASE WHEN name IN ('completions'::regclass, 'user_moods'::regclass)
    THEN find_part(name, user_id) ELSE 'elsewhere' END
"""


async def connected(url: str) -> Connection:
    return await Connector(url, statement_cache_size=100, seconds=5)()


@pytest.fixture
async def divided_url(database_url: str) -> AsyncIterator[str]:
    db: Connection = await asyncpg.connect(database_url)
    await divide(db)
    await db.execute(_NAMES)
    async with db.transaction():
        await delegate(db)
    yield database_url
    await db.close()


async def undo_what_is_there_no_more(db: Connection) -> None:
    """A deletion for good, a restoration, and at last the creation."""
    task = await tasks.insert_task(db, OTHER, TaskFields(title="Feed bird"))
    await deletions.delete_task(db, task.id, OTHER)
    await undo.undo_sequence(db, OTHER, 2, PLATFORM)
    await deletions.withdraw_task(db, task.id, OTHER)
    await deletions.restore_task(db, task.id, OTHER)
    await undo.undo_sequence(db, OTHER, 5, PLATFORM)
    await undo.undo_sequence(db, OTHER, 4, PLATFORM)
    await tasks.insert_task(db, OTHER, TaskFields(title="Feed fish"))
    await undo.undo_sequence(db, OTHER, 8, PLATFORM)
    kept = await db.fetch("SELECT id FROM tasks WHERE user_id = $1 AND deleted_at IS NULL", OTHER)
    assert [row["id"] for row in kept] == [task.id]


async def sent_by_all_writes(db: Connection) -> list[str]:
    """The statements of a world and of all that changes a task of it."""
    sent: list[str] = []

    def note(query: LoggedQuery) -> None:
        sent.append(query.query)

    with db.query_logger(note):
        world = await make_world(db, USER)
        more = {name: OF_THE_USER[name] for name in WRITES}
        for name, ask in {**BY_ID, **BY_ID_OF_CONTACT, **more}.items():
            for payload in ask(world):
                await perform(db, find_action(name), USER, TRUSTED, payload)
        await undo_what_is_there_no_more(db)
        await asyncio.sleep(0)  # the loggers are called soon
    return sent


async def test_each_write_is_sent_as_a_function_that_does_the_same(divided_url: str) -> None:
    db = await connected(divided_url)
    sent = await sent_by_all_writes(db)
    changes = await feed.fetch_changes(db, USER, 0, 100)
    await db.close()
    called = {one.title for one in DELEGATED for text in sent if f"{one.name}(" in text}
    assert called == {one.title for one in DELEGATED} - {"reopen_task"}  # which people do
    assert {one.text for one in DELEGATED}.isdisjoint(sent)
    kinds = ["created", "created", "completed", "updated", "deleted"]
    assert [one.type for one in changes] == [f"task.{kind}" for kind in kinds]


async def test_what_is_not_delegated_is_done_by_the_text_as_it_is(divided_url: str) -> None:
    db = await connected(divided_url)
    await db.execute(_NOWHERE)
    await sent_by_all_writes(db)
    assert len(await feed.fetch_changes(db, USER, 0, 100)) == 5
    await db.close()


async def test_functions_are_made_once(divided_url: str) -> None:
    db: Connection = await asyncpg.connect(divided_url)
    assert await find_undelegated(db) == []
    assert await delegate(db) == []
    made = await db.fetch(
        "SELECT split_part(name::text, '(', 1), by FROM delegated ORDER BY number"
    )
    assert [tuple(row) for row in made] == [(one.name, f"${one.user}") for one in DELEGATED]
    await db.close()


async def test_elsewhere_nothing_is_sent_in_place_of_a_statement(db: Connection) -> None:
    assert await find_delegated(db) == {}
    assert await find_undelegated(db) == list(DELEGATED)
