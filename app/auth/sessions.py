"""Sessions of people: whose one is, by a bearer token and the auth server's table."""

import hmac
from base64 import b64encode
from contextlib import suppress
from urllib.parse import unquote

from app.config import Settings
from app.database import Database
from app.errors import SessionTableUnusable, Unavailable
from app.logs import logger
from app.services import sessions
from app.services.sessions import SessionTable
from app.state import Resources


class Sessions:
    """Looks sessions up anew for each request, so that one that ended is refused at once.

    The shape of the table is found out at the start, and again when a statement does not fit it.
    """

    def __init__(self, resources: Resources, settings: Settings) -> None:
        self._resources = resources
        self._accepts = settings.accepts_sessions
        self._name = settings.session_table or "user_sessions"
        self._hash_secret = settings.session_hash_secret
        self._signing_secret = settings.better_auth_secret
        self._table: SessionTable | None = None
        self._told: object = None

    async def open(self) -> None:
        """Tells of the table's shape, where the database can be asked already."""
        if self._accepts:
            with suppress(Unavailable):
                await self._describe()

    async def find_user(self, token: str) -> str | None:
        """Whose session the token is; SessionTableUnusable where nobody can tell."""
        if not self._accepts:
            return None
        table = self._table or await self._describe()
        try:
            return await self._look_up(table, token)
        except SessionTableUnusable:
            return await self._look_up(await self._describe(), token)

    async def _look_up(self, table: SessionTable, bearer: str) -> str | None:
        """Behind the first dot stands a signature, which ours leaves to the auth server."""
        token, _, signature = bearer.partition(".")
        if not token:
            return None
        hashed = self._hash(token) if table.by_hash else None
        plain = token if table.by_token and self._is_signed(token, signature) else None
        if hashed is None and plain is None:
            return None
        async with self._resources[Database].connection() as db:
            return await sessions.find_user(db, table, hashed, plain)

    def _hash(self, token: str) -> str:
        assert self._hash_secret is not None, "then no table is read by hashes"  # noqa: S101
        return _digest(self._hash_secret.get_secret_value(), token).hex()

    def _is_signed(self, token: str, signature: str) -> bool:
        """As Better Auth signs; without its secret the token alone counts."""
        if not token.isascii() or not token.isprintable():
            return False
        if self._signing_secret is None:
            return True
        expected = b64encode(_digest(self._signing_secret.get_secret_value(), token))
        # A cookie's value is percent-encoded.
        return hmac.compare_digest(unquote(signature).encode(), expected)

    async def _describe(self) -> SessionTable:
        try:
            async with self._resources[Database].connection() as db:
                table = await sessions.describe(
                    db, self._name, hashes=self._hash_secret is not None
                )
        except SessionTableUnusable as error:
            self._table = None
            self._tell_fault(error.reason)
            raise
        self._table = table
        self._tell_shape(table)
        return table

    def _tell_shape(self, table: SessionTable) -> None:
        if table != self._told:
            shape, columns = table.shape, ", ".join(table.columns)
            logger.info("session_table", table=self._name, shape=shape, columns=columns)
        self._told = table

    def _tell_fault(self, reason: str) -> None:
        if reason != self._told:
            logger.error("session_table_unusable", table=self._name, reason=reason)
        self._told = reason


def _digest(secret: str, token: str) -> bytes:
    return hmac.digest(secret.encode(), token.encode("latin-1"), "sha256")
