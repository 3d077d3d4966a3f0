"""/admin: service keys are minted, shown, changed, rotated, listed and revoked."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request

from app.commands.scopes import NewServiceKey, ServiceKeyChanges, ServiceKeyRotation
from app.config import Settings
from app.database.requests import get_db
from app.doors.admin.entrance import admin_router, answers
from app.errors import AlreadyExists, Conflict, NotFound
from app.http.examples import refuses
from app.logs import logger
from app.models.error import BODY_ERRORS, Error
from app.models.key import KeyCard, KeyList, MintedKey, RotatedKey
from app.services import administration, key_cards, keys
from app.state import author_of, resources_of

router = admin_router()

_NAME_TAKEN: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "A key of this name works."}
}


@router.post(
    "/service-keys",
    status_code=201,
    summary="Mint a service key",
    responses=answers(*BODY_ERRORS) | _NAME_TAKEN,
)
@refuses(on_400=AlreadyExists("Key name already exists"))
async def create_key(request: Request, new: NewServiceKey) -> MintedKey:
    """Creates a key. Its value is returned once."""
    value, author = keys.generate(new.environment, _secret(request)), author_of(request.scope)
    async with get_db(request, transaction=True) as db:
        minted = await administration.mint_key(db, author, new, value)
    logger.info("service_key_created", key_name=new.key_name, key_id=str(minted.id))
    return minted


@router.post(
    "/rotate-key",
    summary="Rotate a service key",
    responses=answers(
        *(404, *BODY_ERRORS),
        status_404="No key of this name works any more.",
    ),
)
@refuses(on_404=NotFound("Key name not found or no active key"))
async def rotate_key(request: Request, rotation: ServiceKeyRotation) -> RotatedKey:
    """Replaces a key. The new value is returned once; the old one works for its grace period."""
    secret, author = _secret(request), author_of(request.scope)
    async with get_db(request, transaction=True) as db:
        rotated = await administration.rotate_key(db, author, rotation, secret)
    logger.info("service_key_rotated", key_name=rotation.key_name)
    return rotated


@router.get(
    "/service-keys",
    summary="List service keys",
    responses=answers(422),
)
async def list_keys(
    request: Request,
    usage: Annotated[
        bool, Query(description="Each with its use of the last 14 days, day by day.")
    ] = False,
) -> KeyList:
    """Every key ever minted, newest first, never with its value."""
    fetch = key_cards.list_keys_with_use if usage else keys.list_keys
    async with get_db(request) as db:
        return KeyList.model_construct(keys=await fetch(db))


@router.get(
    "/service-keys/{key_id}",
    summary="One service key",
    responses=answers(404, 422),
)
@refuses(on_404=NotFound("Key not found"))
async def read_key(request: Request, key_id: UUID) -> KeyCard:
    """All about a key but its value, with its use, which is a few seconds old."""
    async with get_db(request) as db:
        return await key_cards.fetch_card(db, key_id)


@router.patch(
    "/service-keys/{key_id}",
    summary="Change a service key",
    responses=answers(
        *(404, 409, *BODY_ERRORS),
        status_409="The key was revoked, or replaced and has ended.",
    ),
)
@refuses(
    on_404=NotFound("Key not found"),
    on_409=Conflict("The key has ended for good: it is revoked"),
)
async def change_key(request: Request, key_id: UUID, changes: ServiceKeyChanges) -> KeyCard:
    """Overwrites what is given; within a second it holds on every worker."""
    async with get_db(request, transaction=True) as db:
        await administration.change_key(db, author_of(request.scope), key_id, changes)
        card = await key_cards.fetch_card(db, key_id)
    logger.info("service_key_changed", key_name=card.key_name, key_id=str(key_id))
    return card


@router.delete(
    "/service-keys/{key_id}",
    status_code=204,
    summary="Revoke a service key",
    responses=answers(404, 422),
)
@refuses(on_404=NotFound("Key not found"))
async def revoke_key(request: Request, key_id: UUID) -> None:
    """Revokes the key; within a second every worker refuses it."""
    async with get_db(request, transaction=True) as db:
        key_name = await administration.revoke_key(db, author_of(request.scope), key_id)
    logger.info("service_key_revoked", key_name=key_name, key_id=str(key_id))


def _secret(request: Request) -> str | None:
    settings = resources_of(request.scope)[Settings]
    return settings.generator_secret
