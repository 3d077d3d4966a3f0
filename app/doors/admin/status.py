"""GET /admin/status: how the service is."""

from fastapi import Request

from app import __version__
from app.commands.scopes import SCOPES
from app.config import Settings
from app.database.requests import get_db
from app.database.schema import NEEDED, fetch_schema
from app.doors.admin.entrance import admin_router, answers
from app.models.status import SchemaState, ServiceStatus
from app.models.webhook import EVENTS
from app.services import deliveries
from app.state import resources_of

router = admin_router()


@router.get("/status", summary="Service status", responses=answers())
async def read_status(request: Request) -> ServiceStatus:
    """Version, open doors, schema, how far the worker is behind; which scopes and events exist."""
    resources = resources_of(request.scope)
    async with get_db(request) as db:
        schema, lags = await fetch_schema(db), await deliveries.list_lags(db)
    return ServiceStatus(
        version=__version__,
        environment=resources[Settings].environment,
        doors=list(resources.doors),
        schema_state=SchemaState(revision=schema.revision, needed=NEEDED, fault=schema.fault),
        consumers=lags,
        scopes=list(SCOPES),
        events=list(EVENTS),
    )
