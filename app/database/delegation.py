"""Writes that Citus performs where the user's rows are, as functions made of the service's texts.

A statement of several parts is otherwise put together by the coordinator, part by part. The body of
a function is the text that the service sends, on the parts of the tables that the user is in, and
so are the triggers of these parts. Where Citus does not delegate, the body is the text as it is.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from app.database.distribution import OWNED
from app.services import (
    Connection,
    calls,
    categories,
    contacts,
    deletions,
    preferences,
    replays,
    tasks,
    undo_writes,
)


class Delegated(NamedTuple):
    """A statement, and the number of its parameter that is the user."""

    title: str
    text: str
    user: int = 2

    @property
    def name(self) -> str:
        """The function's: another text has another, so that versions beside one another agree."""
        return f"delegated_{self.title}_{sha256(self.text.encode()).hexdigest()[:8]}"


DELEGATED = (
    Delegated("create_task", tasks.INSERT, user=1),
    Delegated("update_task", tasks.UPDATE),
    Delegated("reopen_task", tasks.REOPEN),
    Delegated("toggle_task", tasks.TOGGLE),
    Delegated("delete_task", deletions.DELETE),
    Delegated("withdraw_task", deletions.WITHDRAW),
    Delegated("restore_task", deletions.RESTORE),
    Delegated("claim_one", replays.CLAIM_ONE, user=1),
    Delegated("claim_all", replays.CLAIM_ALL, user=1),
    Delegated("store", replays.STORE, user=1),
    Delegated("store_all", replays.STORE_ALL, user=1),
    Delegated("undo_update", undo_writes.REVERT),
    Delegated("undo_categories", undo_writes.RECATEGORIZE),
    Delegated("undo_withdrawal", undo_writes.RESTORE),
    Delegated("undo_deletion", undo_writes.INSERT),
    Delegated("undo_restoration", undo_writes.WITHDRAW),
    Delegated("undo_creation", undo_writes.DELETE),
    Delegated("create_category", categories.INSERT, user=1),
    Delegated("delete_category", categories.DELETE),
    Delegated("assign_category", categories.ASSIGN),
    Delegated("unassign_category", categories.UNASSIGN),
    Delegated("create_contact", contacts.INSERT),
    Delegated("schedule_call", calls.INSERT),
    Delegated("set_call_status", calls.SET_STATUS),
    Delegated("set_preferences", preferences.INSERT, user=1),
)

_FIND = """
SELECT proname, pronargs FROM pg_proc
WHERE proname = ANY ($1::text[]) AND pronamespace = current_schema()::regnamespace
"""


async def find_delegated(db: Connection) -> Mapping[str, str]:
    """What to send in place of which statement: nothing but where `distribute` made functions."""
    names = {one.name: one.text for one in DELEGATED}
    rows = await db.fetch(_FIND, list(names))
    return {names[name]: f"SELECT * FROM {name}({_numbered(count)})" for name, count in rows}


async def find_undelegated(db: Connection) -> list[Delegated]:
    """The statements that this version sends and nobody has made functions of yet."""
    present = await find_delegated(db)
    return [one for one in DELEGATED if one.text not in present]


def _numbered(count: int) -> str:
    return ", ".join(f"${number}" for number in range(1, count + 1))


_TYPES = """
SELECT parameter_types::text[], coalesce(result_types::text[], '{}') FROM pg_prepared_statements
WHERE name = 'delegated'
"""
# Forced: also in a transaction of several statements, which is where commands are performed.
_DISTRIBUTE = """
SELECT create_distributed_function($1::text::regprocedure, $2,
    colocate_with => 'tasks', force_delegation => true)
"""
_SETTINGS = {"citus.enable_manual_changes_to_shards": "on"}


async def delegate(db: Connection) -> list[str]:
    """Makes the functions that are not there yet, and returns their names.

    Once the tables are divided, and that is committed.
    """
    database = await db.fetchval("SELECT quote_ident(current_database())")
    for name, value in _SETTINGS.items():
        await db.execute(f"ALTER DATABASE {database} SET {name} = {value}")
    await _keep_triggers_on_parts(db)
    missing = await find_undelegated(db)
    for one in missing:
        signature = await create_function(db, one)
        await db.execute(_DISTRIBUTE, signature, f"${one.user}")
    return [one.name for one in missing]


_TRIGGERED = """
SELECT DISTINCT proname AS name, prosrc AS body FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE tgrelid = ANY ($1::text[]::regclass[]) AND NOT tgisinternal
    AND strpos(prosrc, 'get_shard_id_for_distribution_column') = 0
ORDER BY 1
"""
_WRITE = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM) (?!SET\b)[^;]*")


async def _keep_triggers_on_parts(db: Connection) -> None:
    """Has the triggers of parts write to parts, which a forced function may not leave."""
    for name, body in await db.fetch(_TRIGGERED, OWNED):
        if _TABLE.search(body):
            await db.execute(f"""
                CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $trigger$
                {_WRITE.sub(_on_parts_of_new, body)}
                $trigger$
            """)


def _on_parts_of_new(match: re.Match[str]) -> str:
    text, parts = _on_parts(re.sub(r"\bNEW\.", "($1).", match[0]), "NEW.user_id")
    return f"EXECUTE format($text${text}$text$, {', '.join(parts)}) USING NEW"


async def create_function(db: Connection, one: Delegated) -> str:
    """Makes the function of a statement, of its own types, and returns its signature."""
    columns = [column.name for column in (await db.prepare(one.text)).get_attributes()]
    await db.execute(f"PREPARE delegated AS {one.text}")
    parameters, results = (await db.fetch(_TYPES))[0]
    await db.execute("DEALLOCATE delegated")
    signature = f"{one.name}({', '.join(parameters)})"
    shown = ", ".join(f'"{name}" {kind}' for name, kind in zip(columns, results, strict=True))
    body, parts = _on_parts(one.text, f"${one.user}")
    given = _numbered(len(parameters))
    run = "RETURN QUERY EXECUTE" if shown else "EXECUTE"
    await db.execute(f"""
        CREATE FUNCTION {signature} RETURNS {f"TABLE ({shown})" if shown else "void"}
        LANGUAGE plpgsql AS $delegated$
        BEGIN
            IF to_regclass({parts[0]}) IS NULL THEN
                {run} $text${one.text}$text$ USING {given};
            ELSE
                {run} format($text${body}$text$, {", ".join(parts)}) USING {given};
            END IF;
        END
        $delegated$
    """)
    return signature


_TABLE = re.compile(rf"\b(INTO|FROM|JOIN|UPDATE) ({'|'.join(OWNED)})\b( AS \w+)?")


def _on_parts(text: str, user: str) -> tuple[str, list[str]]:
    """The text as a format for the names of the parts that the user is in, and these in SQL."""
    used: list[str] = []

    def part(match: re.Match[str]) -> str:
        word, table, alias = match.groups()
        if table not in used:
            used.append(table)
        return f"{word} %{used.index(table) + 1}$I{alias or f' AS {table}'}"

    body = _TABLE.sub(part, text.replace("%", "%%"))
    return body, [
        f"'{table}_' || get_shard_id_for_distribution_column('{table}', {user})" for table in used
    ]
