"""Who we are and how we are."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from app import __version__
from app.commands.registry import commands
from app.database import Database
from app.http.guard import Route
from app.state import resources_of

SERVICE = "task-manager-api"

router = APIRouter(route_class=Route, tags=["health"])


class Index(BaseModel):
    """The parts of the API."""

    name: str
    version: str
    docs: Annotated[str | None, Field(description="Swagger UI; null where it is switched off.")]
    openapi: str | None
    health: str
    doors: Annotated[list[str], Field(description="The client dialects that are open.")]
    actions: Annotated[list[str], Field(description="What POST /execute performs.")]


class Healthy(BaseModel):
    """The service works."""

    status: Literal["healthy"] = "healthy"
    service: str = SERVICE
    version: str = __version__
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))


class Unhealthy(BaseModel):
    """The service cannot reach its database."""

    status: Literal["unhealthy"] = "unhealthy"
    database: Literal["disconnected"] = "disconnected"


class Unmigrated(BaseModel):
    """The service reaches its database, but cannot work on its schema."""

    status: Literal["unhealthy"] = "unhealthy"
    database: Literal["unusable"] = "unusable"
    reason: Annotated[str, Field(examples=["schema is at 0001, needs 0002: python -m app migrate"])]


_UNHEALTHY: dict[int | str, dict[str, Any]] = {
    503: {
        "model": Unhealthy | Unmigrated,
        "description": "The database does not answer, or its schema is unusable.",
    }
}


@router.get("/", summary="API information")
async def index(request: Request) -> Index:
    """Name, version, links, and what can be done here."""
    app = request.app
    return Index(
        name=app.title,
        version=app.version,
        docs="/docs" if app.openapi_url else None,
        openapi=app.openapi_url,
        health="/health",
        doors=list(resources_of(request.scope).doors),
        actions=[action.name for action in commands()],
    )


@router.get(
    "/health",
    operation_id="read_health",
    summary="Health",
    responses=_UNHEALTHY,
    response_model=Healthy,
)
@router.get("/health/ready", summary="Readiness", responses=_UNHEALTHY, response_model=Healthy)
async def read_readiness(request: Request) -> Response | Healthy:
    """Whether the service can do its work, asked of the database at most once a second."""
    database = resources_of(request.scope)[Database]
    if await database.is_ready():
        return Healthy()
    if (reason := database.schema_fault) is not None:
        return JSONResponse(Unmigrated(reason=reason).model_dump(), 503)
    return JSONResponse(Unhealthy().model_dump(), 503)


@router.get("/health/live", summary="Liveness")
async def read_liveness() -> Healthy:
    """Answers as long as the process runs: the orchestrator's probe. The database is not asked."""
    return Healthy()
