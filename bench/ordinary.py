"""The usual FastAPI way: dependencies lend a connection and look up the key, models everywhere."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request
from pydantic import BaseModel, ValidationError

from bench.ordinary_log import RequestLog, configure
from bench.ordinary_models import (
    CommandRequest,
    CommandResponse,
    CreateTask,
    GetStats,
    GetTask,
    Health,
    ListTasks,
    Stats,
    Task,
    TaskList,
    UpdateTask,
)
from bench.serve import DATABASE_URL, POOL_SIZE, serve


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    configure()
    app.state.pool = await asyncpg.create_pool(DATABASE_URL, min_size=1, max_size=POOL_SIZE)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=_lifespan)
app.add_middleware(RequestLog)


async def get_db(request: Request) -> AsyncIterator[Any]:
    """Lends a connection for the whole request."""
    async with request.app.state.pool.acquire() as connection:
        yield connection


Database = Annotated[Any, Depends(get_db)]


async def get_caller(db: Database, x_service_key: Annotated[str, Header()]) -> str:
    """The name of the key's holder."""
    name = await db.fetchval(
        """
        SELECT key_name FROM service_api_keys
        WHERE api_key = $1 AND active AND (expires_at IS NULL OR expires_at > now())
        """,
        sha256(x_service_key.encode()).hexdigest(),
    )
    if name is None:
        raise HTTPException(401, "Invalid or expired service key")
    return name


Caller = Annotated[str, Depends(get_caller)]

_COLUMNS = "id, user_id, title, description, status, priority, created_at, completed_at, due_date"


def _found(row: Any) -> Task:
    if row is None:
        raise HTTPException(404, "Task not found")
    return Task(**row)


async def _get_task(db: Any, _: str, payload: GetTask) -> Task:
    return _found(await db.fetchrow(f"SELECT {_COLUMNS} FROM tasks WHERE id = $1", payload.task_id))


async def _create_task(db: Any, user_id: str, payload: CreateTask) -> Task:
    completed = datetime.now(UTC) if payload.status == "completed" else None
    values = (user_id, *payload.model_dump().values(), completed)
    return _found(
        await db.fetchrow(
            f"""
            INSERT INTO tasks
                (user_id, title, description, status, priority, due_date, completed_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_COLUMNS}
            """,
            *values,
        )
    )


async def _update_task(db: Any, _: str, payload: UpdateTask) -> Task:
    changes = payload.model_dump(exclude_unset=True, exclude={"task_id"})
    if "status" in changes:
        completed = changes["status"] == "completed"
        changes["completed_at"] = datetime.now(UTC) if completed else None
    assignments = ", ".join(f"{name} = ${number}" for number, name in enumerate(changes, 2))
    statement = f"UPDATE tasks SET {assignments} WHERE id = $1 RETURNING {_COLUMNS}"
    return _found(await db.fetchrow(statement, payload.task_id, *changes.values()))


async def _list_tasks(db: Any, user_id: str, payload: ListTasks) -> TaskList:
    conditions, values = ["user_id = $1"], [user_id]
    for name, value in payload.model_dump(exclude_none=True).items():
        values.append(value)
        conditions.append(f"{name} = ${len(values)}")
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS} FROM tasks WHERE {" AND ".join(conditions)}
        ORDER BY created_at DESC, id DESC
        """,
        *values,
    )
    return TaskList(tasks=[Task(**row) for row in rows], count=len(rows))


async def _get_stats(db: Any, user_id: str, _: GetStats) -> Stats:
    row = await db.fetchrow(
        """
        SELECT count(*) AS total_tasks,
            count(*) FILTER (WHERE status = 'pending') AS pending_tasks,
            count(*) FILTER (WHERE status = 'in_progress') AS in_progress_tasks,
            count(*) FILTER (WHERE status = 'completed') AS completed_tasks,
            count(*) FILTER (WHERE status <> 'completed' AND due_date < now()) AS overdue_tasks
        FROM tasks WHERE user_id = $1 AND status <> 'cancelled'
        """,
        user_id,
    )
    total = row["total_tasks"]
    rate = round(100 * row["completed_tasks"] / total, 2) if total else 0.0
    return Stats(**row, completion_rate=rate)


_ACTIONS: dict[str, tuple[type[BaseModel], Callable[[Any, str, Any], Awaitable[Any]]]] = {
    "get-task": (GetTask, _get_task),
    "create-task": (CreateTask, _create_task),
    "update-task": (UpdateTask, _update_task),
    "list-tasks": (ListTasks, _list_tasks),
    "get-stats": (GetStats, _get_stats),
}


@app.post("/execute", response_model=CommandResponse)
async def execute(command: CommandRequest, db: Database, caller: Caller) -> CommandResponse:
    """Performs a command."""
    if command.action not in _ACTIONS:
        raise HTTPException(404, f"Unknown action: {command.action}")
    model, perform = _ACTIONS[command.action]
    try:
        payload = model(**command.payload)
    except ValidationError as error:
        raise HTTPException(400, str(error)) from None
    data = await perform(db, command.user_id, payload)
    return CommandResponse(success=True, data=data, timestamp=datetime.now(UTC))


@app.get("/stats", response_model=Stats)
async def read_stats(user_id: Annotated[str, Query()], db: Database, caller: Caller) -> Stats:
    """The figures without the envelope."""
    return await _get_stats(db, user_id, GetStats())


@app.get("/health", response_model=Health)
async def health(db: Database) -> Health:
    """Whether the database answers."""
    await db.fetchval("SELECT 1")
    return Health(status="healthy")


if __name__ == "__main__":
    serve(app)
