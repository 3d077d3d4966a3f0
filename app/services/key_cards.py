"""All about one service key but its value: shown, and changed."""

from uuid import UUID

from asyncpg import Record

from app.errors import Conflict, NotFound
from app.models.key import KeyCard, KeyChanges, KeyDetails, ListedKey
from app.services import Connection, keys
from app.services.keys import INFO, LOCK_NAME
from app.services.usage import fetch_use, fetch_use_of_all

_COLUMNS = f"{INFO}, note, rate_limit, user_ids"
_FETCH = f"SELECT {_COLUMNS} FROM service_api_keys WHERE id = $1"
_FETCH_CURRENT = f"""
SELECT {_COLUMNS} FROM service_api_keys WHERE key_name = $1 AND superseded_at IS NULL
"""


async def fetch_details(db: Connection, key_id: UUID) -> KeyDetails:
    """What is known of a key; NotFound when there is none."""
    return _details(await db.fetchrow(_FETCH, key_id))


async def fetch_current(db: Connection, key_name: str) -> KeyDetails:
    """The same of the key that others of the name were rotated into."""
    return _details(await db.fetchrow(_FETCH_CURRENT, key_name))


async def fetch_card(db: Connection, key_id: UUID) -> KeyCard:
    """The same, with how the key was used."""
    details = await fetch_details(db, key_id)
    return KeyCard.model_construct(**vars(details), usage=await fetch_use(db, key_id))


async def list_keys_with_use(db: Connection) -> list[ListedKey]:
    """Every key ever minted, newest first, with its use of the last 14 days."""
    listed, use = await keys.list_keys(db), await fetch_use_of_all(db)
    return [key.model_copy(update={"usage": use.get(key.id, [])}) for key in listed]


def _details(row: Record | None) -> KeyDetails:
    if row is None:
        raise NotFound("Key not found")
    return KeyDetails.model_construct(**row)


# A superseded key that has ended stays ended: its name may be somebody else's by now.
_CHANGE = f"""
UPDATE service_api_keys SET
    note = CASE WHEN 'note' = ANY ($2) THEN $3 ELSE note END,
    scopes = CASE WHEN 'scopes' = ANY ($2) THEN $4 ELSE scopes END,
    expires_at = CASE WHEN 'expires_at' = ANY ($2) THEN $5 ELSE expires_at END,
    rate_limit = CASE WHEN 'rate_limit' = ANY ($2) THEN $6 ELSE rate_limit END,
    user_ids = CASE WHEN 'user_ids' = ANY ($2) THEN $7 ELSE user_ids END,
    enforce_ownership = CASE WHEN 'enforce_ownership' = ANY ($2)
        THEN coalesce($8, false) ELSE enforce_ownership END
WHERE id = $1 AND active AND (superseded_at IS NULL OR expires_at IS NULL OR expires_at > now())
RETURNING {_COLUMNS}
"""


def _is_to_last(changes: KeyChanges) -> bool:
    return "expires_at" in changes.model_fields_set and changes.expires_at is None


async def change_key(
    db: Connection, key_id: UUID, changes: KeyChanges
) -> tuple[KeyDetails, KeyDetails]:
    """Overwrites what is set in `changes`, inside the caller's transaction; before and after.

    NotFound when there is no such key; Conflict when it has ended for good, or was superseded and
    is to work for ever.
    """
    await db.execute(LOCK_NAME, (await fetch_details(db, key_id)).key_name)
    before = await fetch_details(db, key_id)
    if before.state == "superseded" and _is_to_last(changes):
        raise Conflict("The key was rotated, so it must end: say when")
    row = await db.fetchrow(
        _CHANGE,
        key_id,
        sorted(changes.model_fields_set),
        changes.note,
        changes.scopes,
        changes.expires_at,
        changes.rate_limit,
        changes.user_ids,
        changes.enforce_ownership,
    )
    if row is None:
        raise Conflict(f"The key has ended for good: it is {before.state}")
    return before, _details(row)
