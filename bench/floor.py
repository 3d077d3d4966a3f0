"""The floor: raw ASGI and asyncpg with our SQL, and nothing else. No key, no check, no log."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import asyncpg
import orjson
from pydantic_core import from_json

from app.models.origin import PLATFORM
from app.models.task_list import PAGE_SIZE
from app.services.folding import Folds
from app.services.stats import _COUNT
from app.services.task_lists import page_statement
from app.services.tasks import _FETCH, INSERT, UPDATE
from bench.serve import DATABASE_URL, POOL_SIZE, serve

_SHOWN = (
    "id",
    "user_id",
    "title",
    "description",
    "status",
    "priority",
    "created_at",
    "completed_at",
    "due_date",
)

Command = dict[str, Any]


async def _keep_session(_: object) -> None: ...


def _due(payload: Command) -> datetime | None:
    due = payload.get("due_date")
    return datetime.fromisoformat(due) if due else None


def _task(row: Any) -> bytes:
    # The UUID is asyncpg's own class, which orjson leaves to `default`.
    return orjson.dumps({name: row[name] for name in _SHOWN}, str, orjson.OPT_UTC_Z)


async def _get_task(db: Any, user_id: str, payload: Command) -> bytes:
    return _task(await db.fetchrow(_FETCH, UUID(payload["task_id"]), user_id))


async def _create_task(db: Any, user_id: str, payload: Command) -> bytes:
    get = payload.get
    return _task(
        await db.fetchrow(
            INSERT,
            user_id,
            payload["title"],
            get("description"),
            get("status", "pending"),
            get("priority"),
            _due(payload),
            get("tags", []),
            *Folds.of(payload["title"], get("description")),
            *PLATFORM,
        )
    )


async def _update_task(db: Any, user_id: str, payload: Command) -> bytes:
    get = payload.get
    return _task(
        await db.fetchrow(
            UPDATE,
            UUID(payload.pop("task_id")),
            user_id,
            sorted(payload),
            get("title"),
            get("description"),
            get("status"),
            get("priority"),
            _due(payload),
            get("tags"),
            *Folds.of(get("title", ""), get("description")),
            None,  # whatever its version
            *PLATFORM,
        )
    )


async def _list_tasks(db: Any, user_id: str, payload: Command) -> bytes:
    statement = page_statement(tuple(payload))
    row = await db.fetchrow(statement, user_id, PAGE_SIZE, *payload.values())
    return b'{"tasks":[%b],"count":%d}' % (row["tasks"], row["size"])


async def _get_stats(db: Any, user_id: str, _: Command) -> bytes:
    return orjson.dumps(dict(await db.fetchrow(_COUNT, user_id)))


_ACTIONS: dict[str, Callable[[Any, str, Command], Awaitable[bytes]]] = {
    "get-task": _get_task,
    "create-task": _create_task,
    "update-task": _update_task,
    "list-tasks": _list_tasks,
    "get-stats": _get_stats,
}


class Floor:
    """The application."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path = scope["path"]
        if path == "/execute":
            body = await self._execute(from_json(await _body(receive)))
        elif path == "/stats":
            user_id = parse_qs(scope["query_string"].decode())["user_id"][0]
            async with self._pool.acquire() as db:
                body = await _get_stats(db, user_id, {})
        else:
            body = b'{"status":"healthy"}'
        headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _execute(self, command: Command) -> bytes:
        perform = _ACTIONS[command["action"]]
        async with self._pool.acquire() as db:
            data = await perform(db, command["user_id"], command["payload"])
        timestamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return b'{"success":true,"data":%b,"error":null,"timestamp":"%b"}' % (
            data,
            timestamp.encode(),
        )

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self._pool = await asyncpg.create_pool(
            DATABASE_URL, min_size=0, max_size=POOL_SIZE, reset=_keep_session
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _body(receive: Any) -> bytes:
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    return body


if __name__ == "__main__":
    serve(Floor())
