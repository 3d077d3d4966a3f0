"""/admin/webhooks: where events are sent to is kept, tried, and sent again."""

from contextlib import suppress
from datetime import UTC, datetime
from secrets import token_hex
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import HttpUrl

from app.database.encryption import Cipher
from app.database.requests import get_db
from app.doors.admin.entrance import admin_router, answers
from app.errors import Full
from app.http.examples import refuses
from app.logs import logger
from app.models.error import BODY_ERRORS
from app.models.page import MAX_LIMIT
from app.models.webhook import (
    MOST_ENDPOINTS,
    Attempt,
    CreatedEndpoint,
    DeliveryList,
    DeliveryState,
    Endpoint,
    EndpointChanges,
    EndpointList,
    NewEndpoint,
    Replay,
    Replayed,
    RotatedSecret,
)
from app.services import administration, webhook_deliveries, webhooks
from app.services.webhook_events import body
from app.state import author_of, resources_of
from app.worker.addresses import ForbiddenAddress
from app.worker.sender import Message, Sender, new_secret

router = admin_router("/admin/webhooks", "webhooks")

_SHOWN = 1000
_ONE = answers(404, 422)
_ONE_WITH_BODY = answers(404, *BODY_ERRORS)


@router.post(
    "",
    status_code=201,
    summary="Add a webhook",
    responses=answers(
        *(409, *BODY_ERRORS),
        status_409=f"There are {MOST_ENDPOINTS} of them.",
    ),
)
@refuses(on_409=Full(f"There are {MOST_ENDPOINTS} webhooks; delete one first"))
async def create_webhook(request: Request, new: NewEndpoint) -> CreatedEndpoint:
    """Sends these events there from now on. Its secret is returned once."""
    await _check(request, new.url)
    secret, encrypted = _secret(request)
    async with get_db(request, transaction=True) as db:
        made = await administration.add_webhook(db, author_of(request.scope), new, encrypted)
    logger.info("webhook_created", endpoint_id=str(made.id))
    return CreatedEndpoint.model_construct(**vars(made), secret=secret)


@router.get("", summary="List webhooks", responses=answers())
async def list_webhooks(request: Request) -> EndpointList:
    """Every webhook, newest first, never with its secret."""
    async with get_db(request) as db:
        return await webhooks.list_endpoints(db)


@router.get("/{webhook_id}", summary="One webhook", responses=_ONE)
async def read_webhook(request: Request, webhook_id: UUID) -> Endpoint:
    """Where which events are sent, and whether they are."""
    async with get_db(request) as db:
        return await webhooks.fetch_endpoint(db, webhook_id)


@router.patch("/{webhook_id}", summary="Change a webhook", responses=_ONE_WITH_BODY)
async def change_webhook(request: Request, webhook_id: UUID, changes: EndpointChanges) -> Endpoint:
    """Overwrites what is given. `"enabled": true` starts a webhook again that was disabled."""
    if "url" in changes.model_fields_set:
        await _check(request, changes.url)
    async with get_db(request, transaction=True) as db:
        changed = await administration.change_webhook(
            db, author_of(request.scope), webhook_id, changes
        )
    logger.info("webhook_changed", endpoint_id=str(webhook_id))
    return changed


@router.delete("/{webhook_id}", status_code=204, summary="Delete a webhook", responses=_ONE)
async def delete_webhook(request: Request, webhook_id: UUID) -> None:
    """Sends nothing more there."""
    async with get_db(request, transaction=True) as db:
        await administration.delete_webhook(db, author_of(request.scope), webhook_id)
    logger.info("webhook_deleted", endpoint_id=str(webhook_id))


@router.post(
    "/{webhook_id}/rotate-secret",
    summary="Rotate a webhook's secret",
    responses=answers(404, 409, 422),
)
async def rotate_webhook_secret(request: Request, webhook_id: UUID) -> RotatedSecret:
    """Signs with a new secret, which is returned once, and for 24 hours with the old one too."""
    secret, encrypted = _secret(request)
    async with get_db(request, transaction=True) as db:
        until = await administration.rotate_webhook_secret(
            db, author_of(request.scope), webhook_id, encrypted
        )
    logger.info("webhook_secret_rotated", endpoint_id=str(webhook_id))
    return RotatedSecret(secret=secret, previous_until=until)


@router.post("/{webhook_id}/test", summary="Test a webhook", responses=_ONE)
async def test_webhook(request: Request, webhook_id: UUID) -> Attempt:
    """Sends `webhook.test` now, also where the webhook is disabled, and returns what came back."""
    async with get_db(request, transaction=True) as db:
        target = await administration.try_webhook(db, author_of(request.scope), webhook_id)
    sent = body("webhook.test", datetime.now(UTC), {"webhook_id": webhook_id})
    message = Message(f"msg_test_{token_hex(12)}", sent)
    answer = await resources_of(request.scope)[Sender].send(target, message)
    text = None if answer.status is None else answer.body.decode(errors="replace")[:_SHOWN]
    return Attempt(
        delivered=answer.is_success,
        status=answer.status,
        duration_ms=answer.duration_ms,
        error=answer.error,
        body=text,
    )


@router.post("/{webhook_id}/replay", status_code=202, summary="Replay", responses=_ONE_WITH_BODY)
async def replay_webhook(request: Request, webhook_id: UUID, wanted: Replay) -> Replayed:
    """Sends again, under the same ids, what was sent since, and what was not while disabled."""
    async with get_db(request, transaction=True) as db:
        replayed = await administration.replay_webhook(
            db, author_of(request.scope), webhook_id, wanted
        )
    logger.info("webhook_replayed", endpoint_id=str(webhook_id), deliveries=replayed.deliveries)
    return replayed


@router.get("/{webhook_id}/deliveries", summary="List deliveries", responses=_ONE)
async def list_deliveries(
    request: Request,
    webhook_id: UUID,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
    cursor: Annotated[
        int | None,
        Query(ge=1, lt=2**63, description="`next_cursor` of the page before; absent: the newest."),
    ] = None,
    state: Annotated[
        DeliveryState | None, Query(description="Only those in this state; absent: all.")
    ] = None,
) -> DeliveryList:
    """A page of the events for the webhook, newest first; they are kept for 30 days."""
    async with get_db(request) as db:
        await webhooks.fetch_endpoint(db, webhook_id)
        return await webhook_deliveries.list_deliveries(db, webhook_id, cursor, limit, state)


async def _check(request: Request, url: HttpUrl) -> None:
    """RequestValidationError where nothing may be sent to, or nobody is known to be."""
    reason = "leads nowhere: the name is not known"
    with suppress(OSError, ValueError, TimeoutError):
        try:
            return await resources_of(request.scope)[Sender].check(str(url))
        except ForbiddenAddress as error:
            reason = str(error)
    told = {"type": "forbidden_address", "loc": ("body", "url"), "msg": reason, "input": str(url)}
    raise RequestValidationError([told])


def _secret(request: Request) -> tuple[str, bytes]:
    """A new secret, and what is stored of it."""
    secret = new_secret()
    return secret, resources_of(request.scope)[Cipher].encrypt(secret)
