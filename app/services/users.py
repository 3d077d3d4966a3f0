"""Everything kept of a user: shown as it is, or removed for good.

Each table that holds something of a user stands in KEPT once; a test finds the others.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic_core import to_json

from app.models.user_data import PurgedUser
from app.services import Connection, mirror, webhook_deliveries
from app.services.changes import NO_FIELDS, counted
from app.services.folding import FOLDS
from app.services.pages import cut

_AT_ONCE = 250
# The id of an account is a UUID, and a user id in another spelling of it is another user's.
_AS_UUID = """(CASE WHEN $1::text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    THEN $1::text::uuid END)"""


class Kept(NamedTuple):
    """A table with rows of users.

    `key` tells a user's rows apart, and orders them; `columns` are shown; `hidden` ones never:
    secrets, and what is made of the others. `owner` is the condition on the user's rows, `spared`
    on those of them that a purge leaves.
    """

    table: str
    key: str
    columns: str
    hidden: str = ""
    owner: str = "user_id = $1::text"
    spared: str = "false"


# In the order in which they can be removed: what refers to another table comes before it.
KEPT = (
    Kept("task_categories", "task_id, category_id", "task_id, category_id"),
    Kept("categories", "id", "id, name, color, created_at"),
    Kept(
        "tasks",
        "created_at, id",
        "id, title, description, status, priority, tags, created_at, updated_at, completed_at, "
        "due_date, deleted_at, version",
        hidden=FOLDS,
    ),
    Kept("completions", "task_id, completed_at", "task_id, completed_at, due_date, reopened_at"),
    Kept("user_preferences", "since", "since, time_zone, day_start"),
    Kept(
        "calls",
        "created_at, id",
        "id, title, scheduled_for, duration_minutes, notes, status, created_at, updated_at",
    ),
    Kept(
        "contacts",
        "id",
        "id, name, email, company, user_type, notes, created_at, updated_at",
    ),
    Kept(
        "user_api_keys",
        "provider",
        "provider, masked_key, validation_status, last_validated_at, created_at, updated_at",
        hidden="encrypted_value",
    ),
    Kept(
        "refresh_tokens",
        "family",
        "family, created_at, expires_at, revoked_at",
        hidden="token_hash",
        owner=f"user_id = {_AS_UUID}",
    ),
    Kept(
        "verification_tokens",
        "token_hash",
        "created_at, expires_at",
        hidden="token_hash",
        owner=f"user_id = {_AS_UUID}",
    ),
    Kept(
        "accounts",
        "id",
        "id, email, full_name, is_active, failed_logins, locked_until, deactivated_at, "
        "created_at, updated_at",
        hidden="password_hash",
        owner=f"id = {_AS_UUID}",
    ),
    Kept(
        "replays",
        "key_name, idempotency_key",
        "key_name, idempotency_key, status, body, claimed_at",
        hidden="fingerprint, across_owners",
        # The purge's own: it is claimed in this transaction.
        spared="claimed_at = now()",
    ),
    # No mood is appended to the log behind the purge of it.
    Kept("user_moods", "user_id", "label, due_at"),
    Kept(
        "changes",
        "position",
        "position, sequence, kind, operation, entity_id, fields, before, changed_at, transition, "
        "by_kind, by_name, installation_id, command_id, batch_id, undo_of, data",
        hidden="untaken",
        # The one that tells of the purge.
        spared="sequence IS NOT DISTINCT FROM "
        "(SELECT last_sequence FROM change_counts WHERE user_id = $1::text)",
    ),
    Kept(
        "webhook_deliveries",
        "position, endpoint_id",
        "position, endpoint_id, type, occurred_at, attempts, failures, outcome, attempted_at, "
        "status, duration_ms, error, due_at, state",
        hidden="claimed_until",
    ),
    # Or the next change would have the number of one before.
    Kept(
        "change_counts", "user_id", "last_sequence, last_changed_at, other_changes", spared="true"
    ),
    # An administrator's, against whoever comes back under the same name.
    Kept(
        "revocations",
        "id",
        "id, installation_id, key_name, reason, until, created_at, created_by",
        spared="true",
    ),
)


class Place(NamedTuple):
    """Where an export has come to: a table, and the key of the last row shown of it."""

    table: int
    after: str | None = None


class ExportedRows(NamedTuple):
    """Rows of one table as JSON with commas between, and where to go on; None at the end."""

    rows: bytes
    rest: Place | None


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def _selection(kept: Kept, *, after: bool) -> tuple[str, str]:
    """The statement of a part of a table's rows, and its columns."""
    columns = ", ".join(dict.fromkeys([*_names(kept.columns), *_names(kept.key)]))
    beyond = ""
    if after:
        last = f"json_populate_record(NULL::{kept.table}, $2::text::json)"
        beyond = f"AND ({kept.key}) > (SELECT {kept.key} FROM {last})"
    selection = f"""
        SELECT {columns} FROM {kept.table} WHERE {kept.owner} {beyond}
        ORDER BY {kept.key} LIMIT {_AT_ONCE}
    """
    return selection, columns


async def export_rows(db: Connection, user_id: str, place: Place) -> ExportedRows:
    """What is kept of the user from a place on, as much as is held in memory at once."""
    kept = KEPT[place.table]
    selection, columns = _selection(kept, after=place.after is not None)
    statement = cut(selection, columns, "octet_length(selected::text)", kept.key)
    arguments = [user_id] if place.after is None else [user_id, place.after]
    rows = await db.fetch(statement, *arguments)
    shown = to_json([{name: row[name] for name in _names(kept.columns)} for row in rows])
    return ExportedRows(shown[1:-1], _next(place, kept, rows))


def _next(place: Place, kept: Kept, rows: Sequence[Any]) -> Place | None:
    if rows:
        last = {name: rows[-1][name] for name in _names(kept.key)}
        return Place(place.table, to_json(last).decode())
    return Place(place.table + 1) if place.table + 1 < len(KEPT) else None


# Before the counter, as by whoever writes a call; without its contact no new one is written.
_LOCK_CONTACT = "SELECT 1 FROM contacts WHERE user_id = $1::text FOR UPDATE"
_LOCK_CALLS = "SELECT 1 FROM calls WHERE user_id = $1::text ORDER BY id FOR UPDATE"

# Whoever writes for the user waits here; what was written before is removed with the rest.
_TELL = f"""
WITH {counted("$1")}
INSERT INTO changes (kind, operation, user_id, entity_id, sequence, fields, changed_at)
SELECT 'user', 'purged', $1, '00000000-0000-0000-0000-000000000000', sequence, {NO_FIELDS}, instant
FROM counted
RETURNING sequence, position
"""

# What is just being taken over for webhooks is removed too, and no more is until all is gone.
_HOLD_WEBHOOKS = "SELECT FROM consumers WHERE name = $1 FOR SHARE"


async def purge_user(db: Connection, user_id: str) -> PurgedUser:
    """Removes everything of the user inside the caller's transaction.

    One change `user.purged` stays, without content; the mirror is told of what it has to remove.
    """
    await db.execute(_LOCK_CONTACT, user_id)
    await db.execute(_LOCK_CALLS, user_id)
    told = await db.fetchrow(_TELL, user_id)
    assert told is not None  # noqa: S101 - an insert without a condition returns its row
    await mirror.forget_user(db, user_id, told["position"])
    await db.execute(_HOLD_WEBHOOKS, webhook_deliveries.CONSUMER)
    removed = {}
    for kept in KEPT:
        statement = f"DELETE FROM {kept.table} WHERE {kept.owner} AND NOT ({kept.spared})"
        status = await db.execute(statement, user_id)
        removed[kept.table] = int(status.rpartition(" ")[2])
    removed = {table: rows for table, rows in removed.items() if rows}
    return PurgedUser(user_id=user_id, sequence=told["sequence"], removed=removed)
