"""Searches and the order of titles whatever the locale is, and the texts that others write."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.config import Settings
from app.database import Database, migrations
from app.database.folding import fold_all
from app.models.task import TaskChanges, TaskFields
from app.models.task_list import LONGEST_CURSOR, Slice, TaskFilter, TaskSort
from app.services import Connection, task_lists, tasks
from tests.conftest import Execute
from tests.support.databases import named

USER = "user_123"


@pytest.fixture(params=["C", "C.UTF-8"])
async def foreign(request: pytest.FixtureRequest, server_url: str) -> AsyncIterator[Connection]:
    """A migrated database that knows no letters but ASCII, or no order but that of the codes."""
    name, locale = f"locale_{uuid4().hex}", request.param
    admin = await asyncpg.connect(server_url)
    await admin.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' "
        f"LC_COLLATE '{locale}' LC_CTYPE '{locale}'"
    )
    await asyncio.to_thread(migrations.upgrade, named(server_url, name))
    db: Connection = await asyncpg.connect(named(server_url, name))
    yield db
    await db.close()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def titles(
    db: Connection, sort: TaskSort = "title", part: Slice | None = None, **filters: Any
) -> list[str]:
    page = await task_lists.fetch_page(db, USER, TaskFilter(**filters), sort, part)
    return [task["title"] for task in json.loads(b"[%b]" % page.tasks)]


async def add(db: Connection, title: str, description: str | None = None) -> None:
    await tasks.insert_task(db, USER, TaskFields(title=title, description=description))


async def test_case_and_order_are_the_same_whatever_the_locale(foreign: Connection) -> None:
    await add(foreign, "ПРИВЕТ, мир")
    await add(foreign, "Äpfel", "Straße nach CAFE\u0301")
    await add(foreign, "zoo", "Öl")
    await add(foreign, "Banane", "plain ASCII")
    assert await titles(foreign) == ["Äpfel", "Banane", "zoo", "ПРИВЕТ, мир"]
    assert await titles(foreign, "-title") == ["ПРИВЕТ, мир", "zoo", "Banane", "Äpfel"]
    for search, found in (
        ("привет", "ПРИВЕТ, мир"),
        ("Привет, МИР", "ПРИВЕТ, мир"),
        ("STRASSE", "Äpfel"),
        ("A\u0308PFEL", "Äpfel"),
        ("café", "Äpfel"),
        ("öL", "zoo"),
        ("PLAIN", "Banane"),
        ("BANANE", "Banane"),
    ):
        assert await titles(foreign, search=search) == [found], search
    shown = await foreign.fetch("SELECT title, description FROM tasks ORDER BY id")
    assert tuple(shown[1]) == ("Äpfel", "Straße nach CAFE\u0301")  # as it was sent


async def test_changed_texts_are_found_as_they_are_now(db: Connection) -> None:
    task = await tasks.insert_task(db, USER, TaskFields(title="ПРИВЕТ", description="МИР"))
    for changes, found, lost in (
        ({"title": "Привет"}, ("ПРИВЕТ", "мир"), "пока"),
        ({"description": "ПОКА"}, ("привет", "пока"), "мир"),
        ({"title": "ascii"}, ("ASCII", "пока"), "привет"),
        ({"title": "ÄRA", "description": None}, ("ära",), "пока"),
        ({"status": "completed"}, ("ära",), "ascii"),
    ):
        await tasks.update_task(db, task.id, USER, TaskChanges(**changes))
        for search in found:
            assert len(await titles(db, search=search)) == 1, (changes, search)
        assert await titles(db, search=lost) == []


_BY_ANOTHER_VERSION = "INSERT INTO tasks (user_id, title, description) VALUES ($1, $2, $3)"
_CHANGE = "UPDATE tasks SET title = $2, version = version + 1 WHERE title = $1"


async def test_what_a_version_without_folds_writes_is_folded_later(
    database_url: str,
) -> None:
    db: Connection = await asyncpg.connect(database_url)
    await add(db, "ФОЛЬД", "описание")
    await db.execute(_CHANGE, "ФОЛЬД", "ПРИВЕТ")
    assert await titles(db, search="фольд") == []  # what was folded is gone with its text
    assert await titles(db, search="ОПИСАНИЕ") == ["ПРИВЕТ"]
    await db.executemany(
        _BY_ANOTHER_VERSION, [(USER, f"ÄPFEL {number}", None) for number in range(250)]
    )
    await db.execute(_BY_ANOTHER_VERSION, USER, "zoo", "Über den ZOO")
    before = await db.fetch("SELECT id, version, updated_at FROM tasks ORDER BY id")
    database = Database(Settings(database_url=database_url))
    await database.open()
    assert await fold_all(database) == 252
    assert await fold_all(database) == 0
    await database.close()
    assert await db.fetch("SELECT id, version, updated_at FROM tasks ORDER BY id") == before
    assert await titles(db, search="привет") == ["ПРИВЕТ"]
    assert await titles(db, search="ÜBER") == ["zoo"]
    assert len(await titles(db, search="äpfel 2")) == 61
    assert (await titles(db))[:1] == ["ÄPFEL 0"]
    assert await db.fetchval("SELECT due_at - now() FROM text_folding") > timedelta(minutes=9)
    await db.close()


async def test_ascii_takes_no_room_and_no_folding(db: Connection) -> None:
    await add(db, "Feed cat", "Salmon")
    row = await db.fetchrow(
        "SELECT folded_title, title_key, title_hash, folded_description, description_hash "
        "FROM tasks"
    )
    assert row is not None
    assert set(row) == {None}


STRANGE = ["🐈", "ΐ", "ﬃ", "\x01a", '"', "\\", "힣", "\u2028x", "\U0010ffff", "İ", "ﷺ", "e\u0301"]


@pytest.mark.parametrize("sort", ["title", "-title"])
async def test_every_cursor_is_accepted_back(
    db: Connection, execute: Execute, sort: TaskSort
) -> None:
    for text in STRANGE:
        await add(db, (text * 500)[:500])
    found: list[str] = []
    page: dict[str, Any] = {"next_cursor": None}
    while len(found) == 0 or page["next_cursor"]:
        answer = await execute("list-tasks", sort=sort, limit=1, cursor=page["next_cursor"])
        assert answer.status_code == 200, answer.text
        page = answer.json()["data"]
        found += [task["title"] for task in page["tasks"]]
        assert len(page["next_cursor"] or "") <= LONGEST_CURSOR
    assert sorted(found) == sorted((text * 500)[:500] for text in STRANGE)
    assert found == await titles(db, sort)
