"""What administrators do, by whatever way: each act leaves its trail in the same transaction."""

from datetime import datetime
from uuid import UUID

from app.models.audit import Author
from app.models.key import KeyChanges, KeyDetails, KeyRotation, MintedKey, NewKey, RotatedKey
from app.models.revocation import NewRevocation, Revocation
from app.models.webhook import Endpoint, EndpointChanges, NewEndpoint, Replay, Replayed
from app.services import (
    Connection,
    audit,
    key_cards,
    keys,
    revocations,
    webhook_replays,
    webhooks,
)


async def mint_key(db: Connection, author: Author, new: NewKey, value: str) -> MintedKey:
    """Stores a new key; see `keys.insert_key`."""
    minted = await keys.insert_key(db, new, value)
    after = await key_cards.fetch_details(db, minted.id)
    await audit.record(db, author, "key.created", _key(minted.id), after=after)
    return minted


async def change_key(
    db: Connection, author: Author, key_id: UUID, changes: KeyChanges
) -> KeyDetails:
    """Overwrites members of a key; see `key_cards.change_key`."""
    before, after = await key_cards.change_key(db, key_id, changes)
    await audit.record(db, author, "key.changed", _key(key_id), before=before, after=after)
    return after


async def rotate_key(
    db: Connection, author: Author, rotation: KeyRotation, secret: str | None
) -> RotatedKey:
    """Replaces a key by a successor; see `keys.rotate_key`."""
    predecessor = await keys.find_predecessor(db, rotation.key_name)
    before = await key_cards.fetch_details(db, predecessor["id"])
    rotated = await keys.rotate_key(db, rotation, secret)
    after = await key_cards.fetch_current(db, rotation.key_name)
    await audit.record(db, author, "key.rotated", _key(after.id), before=before, after=after)
    return rotated


async def revoke_key(db: Connection, author: Author, key_id: UUID) -> str:
    """Ends a key at once and returns its name; NotFound when there is none."""
    before = await key_cards.fetch_details(db, key_id)
    key_name = await keys.revoke_key(db, key_id)
    after = await key_cards.fetch_details(db, key_id)
    await audit.record(db, author, "key.revoked", _key(key_id), before=before, after=after)
    return key_name


async def revoke(db: Connection, author: Author, new: NewRevocation) -> Revocation:
    """Refuses from now on what matches; see `revocations.insert_revocation`."""
    made = await revocations.insert_revocation(db, new, author)
    await audit.record(db, author, "revocation.created", f"revocation/{made.id}", after=made)
    return made


async def lift_revocation(db: Connection, author: Author, revocation_id: UUID) -> Revocation:
    """Refuses no longer what matched; NotFound when there is no such revocation."""
    lifted = await revocations.delete_revocation(db, revocation_id)
    subject = f"revocation/{revocation_id}"
    await audit.record(db, author, "revocation.lifted", subject, before=lifted)
    return lifted


async def add_webhook(db: Connection, author: Author, new: NewEndpoint, secret: bytes) -> Endpoint:
    """Begins to send events there; see `webhooks.insert_endpoint`."""
    made = await webhooks.insert_endpoint(db, new, secret)
    await audit.record(db, author, "webhook.created", _webhook(made.id), after=made)
    return made


async def change_webhook(
    db: Connection, author: Author, endpoint_id: UUID, changes: EndpointChanges
) -> Endpoint:
    """Overwrites members of a webhook; see `webhooks.change_endpoint`."""
    before, after = await webhooks.change_endpoint(db, endpoint_id, changes)
    subject = _webhook(endpoint_id)
    await audit.record(db, author, "webhook.changed", subject, before=before, after=after)
    return after


async def delete_webhook(db: Connection, author: Author, endpoint_id: UUID) -> None:
    """Ends a webhook; NotFound when there is none."""
    before = await webhooks.delete_endpoint(db, endpoint_id)
    await audit.record(db, author, "webhook.deleted", _webhook(endpoint_id), before=before)


async def rotate_webhook_secret(
    db: Connection, author: Author, endpoint_id: UUID, secret: bytes
) -> datetime:
    """Signs with a new secret; see `webhooks.rotate_secret`."""
    until = await webhooks.rotate_secret(db, endpoint_id, secret)
    await audit.record(db, author, "webhook.secret_rotated", _webhook(endpoint_id))
    return until


async def try_webhook(db: Connection, author: Author, endpoint_id: UUID) -> webhooks.Target:
    """Where an event of no meaning is about to be sent; NotFound when there is no such webhook."""
    target = await webhooks.fetch_target(db, endpoint_id)
    await audit.record(db, author, "webhook.tested", _webhook(endpoint_id))
    return target


async def replay_webhook(
    db: Connection, author: Author, endpoint_id: UUID, wanted: Replay
) -> Replayed:
    """Sends again what was sent since; see `webhook_replays.ask`."""
    await webhooks.fetch_endpoint(db, endpoint_id)
    replayed = Replayed(deliveries=await webhook_replays.ask(db, endpoint_id, wanted.since))
    subject = _webhook(endpoint_id)
    await audit.record(db, author, "webhook.replayed", subject, before=wanted, after=replayed)
    return replayed


def _webhook(endpoint_id: UUID) -> str:
    return f"webhook/{endpoint_id}"


def _key(key_id: UUID) -> str:
    return f"service-key/{key_id}"
