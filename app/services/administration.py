"""What administrators do, by whatever way: each act leaves its trail in the same transaction."""

from uuid import UUID

from app.models.audit import Author
from app.models.key import KeyChanges, KeyDetails, KeyRotation, MintedKey, NewKey, RotatedKey
from app.models.revocation import NewRevocation, Revocation
from app.services import Connection, audit, key_cards, keys, revocations


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


def _key(key_id: UUID) -> str:
    return f"service-key/{key_id}"
