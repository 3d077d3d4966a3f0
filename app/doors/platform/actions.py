"""GET /actions: the catalogue of what the asking key may do."""

from functools import lru_cache
from typing import Any

from fastapi import APIRouter, Request, Response, Security
from pydantic import BaseModel

from app.auth.service_keys import SERVICE_KEY, service_key
from app.commands.action import Action
from app.commands.catalogue import Catalogue, Tool, catalogue_entry, catalogue_of, permitted
from app.errors import NotFound, Revoked
from app.http.caching import Published
from app.http.examples import refuses
from app.http.guard import guarded
from app.models.error import REVOKED, documented
from app.state import Exchange

router = APIRouter(
    route_class=guarded(service_key), dependencies=[Security(SERVICE_KEY)], tags=["catalogue"]
)

_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The catalogue is the one that If-None-Match names."}
}


@router.get(
    "/actions",
    summary="All actions",
    response_model=Catalogue,
    responses=_NOT_MODIFIED | documented(401, 403, status_403=REVOKED),
)
@refuses(on_403=Revoked())
async def list_actions(request: Request) -> Response:
    """The actions this key may perform, in the form of MCP's tools/list."""
    return _catalogue(permitted(Exchange.of(request.scope).caller)).answer(request)


@router.get(
    "/actions/{name}",
    summary="One action",
    response_model=Tool,
    responses=_NOT_MODIFIED | documented(401, 403, 404, 422, status_403=REVOKED),
)
@refuses(on_403=Revoked(), on_404=NotFound("Unknown action"))
async def read_action(request: Request, name: str) -> Response:
    """One action with its schemas; 404 also where this key may not perform it."""
    entry = catalogue_entry(Exchange.of(request.scope).caller, name)
    return _published(entry).answer(request)


def _published(content: BaseModel) -> Published:
    return Published.of(content.model_dump_json().encode())


@lru_cache  # to make it takes three times as long as a command, and few callers differ
def _catalogue(permitted: tuple[Action, ...]) -> Published:
    return _published(catalogue_of(permitted))
