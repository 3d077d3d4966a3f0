"""People who sign in, and services in their name."""

import hmac
from collections.abc import Awaitable, Callable
from uuid import uuid4

from app.doors import development_values
from app.services import Connection

SESSION_SECRET = development_values()["SESSION_HASH_SECRET"]
SERVICE_TOKEN = development_values()["SERVICE_AUTH_TOKEN"]

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]

_INSERT = """
INSERT INTO user_sessions (user_id, token_hash, expires_at, revoked)
VALUES ($1, $2, now() + $3::text::interval, $4)
"""


def token_hash(token: str) -> str:
    return hmac.digest(SESSION_SECRET.encode(), token.encode(), "sha256").hex()


async def start_session(
    db: Connection, user_id: str, lifetime: str = "1 hour", *, revoked: bool = False
) -> Headers:
    """The headers of a person whom the auth server has just signed in."""
    token = uuid4().hex
    await db.execute(_INSERT, user_id, token_hash(token), lifetime, revoked)
    return {"Authorization": f"Bearer {token}.signature"}


def acting_for(user_id: str) -> Headers:
    """The headers of a service that acts in the user's name."""
    return {"X-Service-Auth": SERVICE_TOKEN, "X-User-ID": user_id}
