"""Writes that Citus performs where the user's rows are, as functions made of the service's texts.

A statement of several parts is otherwise put together by the coordinator, part by part. The body of
a function is the text that the service sends, on the parts of the tables that the user is in. In a
transaction of several statements Citus delegates nothing: then the body is the text as it is.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from app.database.distribution import OWNED
from app.services import Connection, deletions, tasks


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


def _numbered(count: int) -> str:
    return ", ".join(f"${number}" for number in range(1, count + 1))


_TYPES = """
SELECT parameter_types::text[], result_types::text[] FROM pg_prepared_statements
WHERE name = 'delegated'
"""
_DISTRIBUTE = """
SELECT create_distributed_function($1::text::regprocedure, $2, colocate_with => 'tasks')
"""
# What numbers the log has to be told to each of its parts.
_SETTINGS = {"citus.enable_manual_changes_to_shards": "on"}
_NUMBER = """
SELECT run_command_on_shards('changes',
    'ALTER TABLE %s ALTER COLUMN position SET DEFAULT nextval(''changes_position_seq'')')
"""


async def delegate(db: Connection) -> list[str]:
    """Makes the functions that are not there yet, and returns their names.

    Once the tables are divided, and that is committed.
    """
    database = await db.fetchval("SELECT quote_ident(current_database())")
    for name, value in _SETTINGS.items():
        await db.execute(f"ALTER DATABASE {database} SET {name} = {value}")
    await db.execute(_NUMBER)
    present = await find_delegated(db)
    missing = [one for one in DELEGATED if one.text not in present]
    for one in missing:
        signature = await create_function(db, one)
        await db.execute(_DISTRIBUTE, signature, f"${one.user}")
    return [one.name for one in missing]


async def create_function(db: Connection, one: Delegated) -> str:
    """Makes the function of a statement, of its own types, and returns its signature."""
    columns = [column.name for column in (await db.prepare(one.text)).get_attributes()]
    await db.execute(f"PREPARE delegated AS {one.text}")
    parameters, results = (await db.fetch(_TYPES))[0]
    await db.execute("DEALLOCATE delegated")
    signature = f"{one.name}({', '.join(parameters)})"
    shown = ", ".join(f'"{name}" {kind}' for name, kind in zip(columns, results, strict=True))
    body, parts = _on_parts(one)
    given = _numbered(len(parameters))
    await db.execute(f"""
        CREATE FUNCTION {signature} RETURNS TABLE ({shown}) LANGUAGE plpgsql AS $delegated$
        BEGIN
            IF to_regclass({parts[0]}) IS NULL THEN
                RETURN QUERY EXECUTE $text${one.text}$text$ USING {given};
            ELSE
                RETURN QUERY EXECUTE format($text${body}$text$, {", ".join(parts)}) USING {given};
            END IF;
        END
        $delegated$
    """)
    return signature


_TABLE = re.compile(rf"\b(INTO|FROM|JOIN|UPDATE) ({'|'.join(OWNED)})\b( AS \w+)?")


def _on_parts(one: Delegated) -> tuple[str, list[str]]:
    """The text as a format for the names of the tables' parts, and what these are in SQL."""
    used: list[str] = []

    def part(match: re.Match[str]) -> str:
        word, table, alias = match.groups()
        if table not in used:
            used.append(table)
        return f"{word} %{used.index(table) + 1}$I{alias or f' AS {table}'}"

    body = _TABLE.sub(part, one.text.replace("%", "%%"))
    return body, [
        f"'{table}_' || get_shard_id_for_distribution_column('{table}', ${one.user})"
        for table in used
    ]
