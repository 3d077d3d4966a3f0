"""GET /whoami: what a service key may learn of itself."""

from fastapi import APIRouter, Request, Security

from app.auth.service_keys import SERVICE_KEY, service_key
from app.database.requests import get_db
from app.errors import Revoked
from app.http.examples import refuses
from app.http.guard import guarded
from app.models.error import REVOKED, documented
from app.models.key import KeyCard
from app.services import key_cards
from app.state import Exchange

router = APIRouter(
    route_class=guarded(service_key), dependencies=[Security(SERVICE_KEY)], tags=["catalogue"]
)


@router.get(
    "/whoami",
    summary="The key that asks",
    responses=documented(401, 403, status_403=REVOKED),
)
@refuses(on_403=Revoked())
async def read_own_card(request: Request) -> KeyCard:
    """All about the key but its value: scopes, limits, until when it works, how it was used."""
    key_id = Exchange.of(request.scope).caller.key_id
    assert key_id is not None, "the caller of this route is a service key"  # noqa: S101
    async with get_db(request) as db:
        return await key_cards.fetch_card(db, key_id)
