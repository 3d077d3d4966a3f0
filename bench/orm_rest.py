"""REST over SQLAlchemy 2's async ORM, as most task APIs are built. No log, no change log."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import DateTime, FetchedValue, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from bench.serve import DATABASE_URL, POOL_SIZE, serve

Status = Literal["pending", "in_progress", "completed", "cancelled"]
Priority = Literal["low", "medium", "high", "urgent"]


class Base(DeclarativeBase):
    """Declares tables."""

    type_annotation_map = {datetime: DateTime(timezone=True)}


class Task(Base):
    """The table of tasks."""

    __tablename__ = "tasks"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=FetchedValue())
    user_id: Mapped[str]
    title: Mapped[str]
    description: Mapped[str | None]
    status: Mapped[str]
    priority: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    completed_at: Mapped[datetime | None]
    due_date: Mapped[datetime | None]


class ServiceKey(Base):
    """The table of service keys."""

    __tablename__ = "service_api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key_name: Mapped[str]
    api_key: Mapped[str]
    active: Mapped[bool]
    expires_at: Mapped[datetime | None]


class TaskIn(BaseModel):
    """A new task."""

    user_id: str = Field(min_length=1, max_length=255)
    title: str = Field(min_length=1, max_length=500)
    description: str | None = None
    status: Status = "pending"
    priority: Priority | None = None
    due_date: datetime | None = None


class TaskPatch(BaseModel):
    """The fields to overwrite."""

    title: str | None = Field(None, min_length=1, max_length=500)
    description: str | None = None
    status: Status | None = None
    priority: Priority | None = None
    due_date: datetime | None = None


class TaskOut(BaseModel):
    """A stored task."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    user_id: str
    title: str
    description: str | None
    status: Status
    priority: Priority | None
    created_at: datetime
    completed_at: datetime | None
    due_date: datetime | None


class StatsOut(BaseModel):
    """Counts of one user's tasks."""

    total_tasks: int
    pending_tasks: int
    in_progress_tasks: int
    completed_tasks: int
    completion_rate: float
    overdue_tasks: int


engine = create_async_engine(
    DATABASE_URL.replace("postgresql://", "postgresql+asyncpg://") or "postgresql+asyncpg://",
    pool_size=POOL_SIZE,
    max_overflow=0,
)
new_session = async_sessionmaker(engine, expire_on_commit=False)


async def get_session() -> AsyncIterator[AsyncSession]:
    """A session for the whole request."""
    async with new_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


async def get_caller(session: Session, x_service_key: Annotated[str, Header()]) -> ServiceKey:
    """The key's row."""
    key = await session.scalar(
        select(ServiceKey).where(
            ServiceKey.api_key == sha256(x_service_key.encode()).hexdigest(),
            ServiceKey.active,
            or_(ServiceKey.expires_at.is_(None), ServiceKey.expires_at > func.now()),
        )
    )
    if key is None:
        raise HTTPException(401, "Invalid or expired service key")
    return key


Caller = Annotated[ServiceKey, Depends(get_caller)]

app = FastAPI()


async def _find(session: AsyncSession, task_id: UUID) -> Task:
    task = await session.get(Task, task_id)
    if task is None:
        raise HTTPException(404, "Task not found")
    return task


@app.get("/tasks/{task_id}", response_model=TaskOut)
async def get_task(task_id: UUID, session: Session, caller: Caller) -> Task:
    """One task."""
    return await _find(session, task_id)


@app.post("/tasks", response_model=TaskOut, status_code=201)
async def create_task(body: TaskIn, session: Session, caller: Caller) -> Task:
    """Stores a new task."""
    task = Task(**body.model_dump())
    task.completed_at = datetime.now(UTC) if body.status == "completed" else None
    session.add(task)
    await session.commit()
    await session.refresh(task)
    return task


@app.patch("/tasks/{task_id}", response_model=TaskOut)
async def update_task(task_id: UUID, body: TaskPatch, session: Session, caller: Caller) -> Task:
    """Overwrites the fields that are given."""
    task = await _find(session, task_id)
    changes = body.model_dump(exclude_unset=True)
    for name, value in changes.items():
        setattr(task, name, value)
    if "status" in changes:
        task.completed_at = datetime.now(UTC) if task.status == "completed" else None
    await session.commit()
    await session.refresh(task)
    return task


@app.get("/tasks", response_model=list[TaskOut])
async def list_tasks(
    user_id: str,
    session: Session,
    caller: Caller,
    status: Status | None = None,
    priority: Priority | None = None,
) -> list[Task]:
    """A user's tasks, newest first."""
    query = select(Task).where(Task.user_id == user_id)
    if status is not None:
        query = query.where(Task.status == status)
    if priority is not None:
        query = query.where(Task.priority == priority)
    rows = await session.scalars(query.order_by(Task.created_at.desc(), Task.id.desc()))
    return list(rows)


@app.get("/stats", response_model=StatsOut)
async def get_stats(user_id: str, session: Session, caller: Caller) -> StatsOut:
    """The counts of a user's tasks."""

    def counted(*conditions: object) -> object:
        return func.count().filter(*conditions)

    query = select(
        func.count(),
        counted(Task.status == "pending"),
        counted(Task.status == "in_progress"),
        counted(Task.status == "completed"),
        counted(Task.status != "completed", Task.due_date < func.now()),
    ).where(Task.user_id == user_id, Task.status != "cancelled")
    total, pending, in_progress, completed, overdue = (await session.execute(query)).one()
    return StatsOut(
        total_tasks=total,
        pending_tasks=pending,
        in_progress_tasks=in_progress,
        completed_tasks=completed,
        completion_rate=round(100 * completed / total, 2) if total else 0.0,
        overdue_tasks=overdue,
    )


@app.get("/health")
async def health(session: Session) -> dict[str, str]:
    """Whether the database answers."""
    await session.execute(select(1))
    return {"status": "healthy"}


if __name__ == "__main__":
    serve(app)
