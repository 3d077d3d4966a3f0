"""First answers, so that a command that is sent again has one effect and one answer.

A claim and the answer to it live in the transaction of the effect: either all three are
committed or none is.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from asyncpg import LockNotAvailableError

from app.errors import AlreadyRunning, Forbidden, IdempotencyKeyReused
from app.services import Connection


class Claim(NamedTuple):
    """One command, as its sender identifies it. Keyed by the key's name: it survives rotation."""

    user_id: str
    key_name: str
    idempotency_key: str


class StoredAnswer(NamedTuple):
    """What the first caller was told."""

    status: int
    body: bytes


class Claimed(NamedTuple):
    """A key that had been claimed before: for what, by whom, and the answer."""

    fingerprint: bytes
    across_owners: bool | None
    status: int
    body: bytes

    def answer(self, fingerprint: bytes, *, across_owners: bool) -> StoredAnswer:
        """The first answer, for whoever asks the same and may see as much."""
        if self.fingerprint != fingerprint:
            raise IdempotencyKeyReused
        if self.across_owners and not across_owners:
            raise Forbidden("The stored answer may show tasks that this key may not see")
        return StoredAnswer(self.status, self.body)


def fingerprint(*content: object) -> bytes:
    """The same for the same JSON content, however its members are ordered."""
    return sha256(json.dumps(content, sort_keys=True).encode()).digest()


# A second caller waits on the primary key until the first has committed or failed, but not for
# long. A claim older than a week is taken over.
_CLAIM = """
WITH lock_timeout AS MATERIALIZED (SELECT set_config('lock_timeout', '2s', true))
INSERT INTO replays AS stored
    (user_id, key_name, idempotency_key, fingerprint, across_owners)
SELECT $1::varchar, $2::varchar, {key}::varchar, $4::bytea, $5::boolean FROM lock_timeout {keys}
ON CONFLICT (user_id, key_name, idempotency_key) DO UPDATE
    SET fingerprint = excluded.fingerprint, across_owners = excluded.across_owners,
        status = NULL, body = NULL, claimed_at = excluded.claimed_at
    WHERE stored.claimed_at AT TIME ZONE 'UTC'
        < excluded.claimed_at AT TIME ZONE 'UTC' - interval '7 days'
RETURNING idempotency_key
"""
CLAIM_ONE = _CLAIM.format(key="$3", keys="")

_FETCH = """
SELECT fingerprint, across_owners, status, body FROM replays
WHERE user_id = $1 AND key_name = $2 AND idempotency_key = $3
"""


async def claim(
    db: Connection, claim: Claim, fingerprint: bytes, *, across_owners: bool
) -> StoredAnswer | None:
    """None for the first caller, who must store an answer in this transaction; else that answer.

    AlreadyRunning while the first has not finished; IdempotencyKeyReused for another content;
    Forbidden where the first could reach other owners and this one cannot.
    """
    try:
        if await db.fetchval(CLAIM_ONE, *claim, fingerprint, across_owners):
            return None
    except LockNotAvailableError as error:
        raise AlreadyRunning from error
    stored = await db.fetchrow(_FETCH, *claim)
    if stored is None:
        raise AlreadyRunning  # purged between the two statements: the next try will claim it
    return Claimed(*stored).answer(fingerprint, across_owners=across_owners)


# In the order of the keys: two batches that claim the same ones would wait for each other.
CLAIM_ALL = _CLAIM.format(
    key="key", keys=", unnest($3::text[]) WITH ORDINALITY AS keys (key, number) ORDER BY number"
)

_FETCH_ALL = """
SELECT idempotency_key, fingerprint, across_owners, status, body FROM replays
WHERE user_id = $1 AND key_name = $2 AND idempotency_key = ANY ($3)
"""


async def claim_all(
    db: Connection, user_id: str, key_name: str, keys: Sequence[str], *, across_owners: bool
) -> Mapping[str, Claimed]:
    """Claims keys whose contents are not known yet; those that had been claimed before.

    For all others answers must be stored in this transaction. AlreadyRunning as for one.
    """
    keys = sorted(keys)
    try:
        arguments = (user_id, key_name, keys, b"", across_owners)
        rows = await db.fetch(CLAIM_ALL, *arguments)
    except LockNotAvailableError as error:
        raise AlreadyRunning from error
    if len(rows) == len(keys):
        return {}
    missing = set(keys).difference(row[0] for row in rows)
    stored = await db.fetch(_FETCH_ALL, user_id, key_name, list(missing))
    if len(stored) < len(missing):
        raise AlreadyRunning  # purged between the two statements
    return {key: Claimed(*claimed) for key, *claimed in stored}


STORE = """
UPDATE replays SET status = $4, body = $5
WHERE user_id = $1 AND key_name = $2 AND idempotency_key = $3
"""


async def store(db: Connection, claim: Claim, answer: StoredAnswer) -> None:
    """Keeps the answer to a claim made in this transaction."""
    await db.execute(STORE, *claim, answer.status, answer.body)


class Answered(NamedTuple):
    """An idempotency key, what it was used for, and the answer."""

    idempotency_key: str
    fingerprint: bytes
    status: int
    body: bytes


STORE_ALL = """
UPDATE replays SET fingerprint = answers.fingerprint, status = answers.status, body = answers.body
FROM unnest($3::text[], $4::bytea[], $5::smallint[], $6::bytea[])
    AS answers (key, fingerprint, status, body)
WHERE user_id = $1 AND key_name = $2 AND idempotency_key = answers.key
"""


async def store_all(
    db: Connection, user_id: str, key_name: str, answers: Sequence[Answered]
) -> None:
    """Keeps the answers to claims made in this transaction."""
    columns = zip(*answers, strict=True)
    await db.execute(STORE_ALL, user_id, key_name, *map(list, columns))
