"""The accounts door, as its clients use it."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
from httpx import AsyncClient, Response

from app.auth import tokens
from app.doors import development_values
from app.services import Connection
from tests.conftest import OPEN_DOORS
from tests.support.application import talking_to

SECRET = development_values()["JWT_SECRET"]
EMAIL, PASSWORD = "whiskers@example.com", "Salmon-at-7"
NEW = {"email": EMAIL, "password": PASSWORD, "full_name": "Whiskers"}
WRONG = {"detail": "Invalid email or password"}
LOCKED = {"detail": "The account is locked after too many failed logins", "code": "locked"}
INVALID_LINK = {
    "detail": "Invalid or expired verification token",
    "code": "invalid_payload",
}
INVALID_TOKEN = {"detail": "Invalid or expired token"}
INVALID_REFRESH = {"detail": "Invalid or expired refresh token"}


async def register(client: AsyncClient, **changed: object) -> Response:
    return await client.post("/api/v1/auth/register", json={**NEW, **changed})


async def log_in(client: AsyncClient, email: str = EMAIL, password: str = PASSWORD) -> Response:
    return await client.post("/api/v1/auth/login", json={"email": email, "password": password})


async def refresh(client: AsyncClient, token: str) -> Response:
    return await client.post("/api/v1/auth/refresh", json={"refresh_token": token})


async def list_categories(client: AsyncClient, token: str) -> Response:
    headers = {"Authorization": f"Bearer {token}"}
    return await client.get("/api/v1/categories", headers=headers)


def token_headers(account_id: object) -> dict[str, str]:
    """The headers of an account's holder, whether or not there is the account."""
    return {"Authorization": f"Bearer {tokens.issue(SECRET, str(account_id), EMAIL)}"}


async def bearer(db: Connection, account_id: object) -> dict[str, str]:
    """The headers of the account's holder; it is made where there is none."""
    await db.execute(
        "INSERT INTO accounts (id, email, full_name, password_hash) "
        "VALUES ($1, $2, '', '') ON CONFLICT DO NOTHING",
        str(account_id),
        f"{account_id}@example.com",
    )
    return token_headers(account_id)


def assert_refused(answer: Response, status: int, body: object) -> None:
    assert (answer.status_code, answer.json()) == (status, body)
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def serving(database_url: str, **changed: Any) -> AbstractAsyncContextManager[AsyncClient]:
    """A client of a service with every door open, these settings and a pool of its own."""
    return talking_to(database_url, **{**OPEN_DOORS, **changed})


def forged(**changed: object) -> dict[str, object]:
    now = datetime.now(UTC)
    claims = {
        "sub": str(uuid4()),
        "email": EMAIL,
        "iat": now,
        "exp": now + timedelta(hours=1),
        "jti": "1",
        **changed,
    }
    return {name: value for name, value in claims.items() if value is not None}


ATTACKS = {
    "no signature": jwt.encode(forged(), "", "none"),
    "another algorithm": jwt.encode(forged(), SECRET.ljust(64, "-"), "HS512"),
    "another key": jwt.encode(forged(), "e" * 32, "HS256"),
    "no subject": jwt.encode(forged(sub=None), SECRET, "HS256"),
    "subject of another kind": jwt.encode(forged(sub="user_123"), SECRET, "HS256"),
    "no expiry": jwt.encode(forged(exp=None), SECRET, "HS256"),
    "no id": jwt.encode(forged(jti=None), SECRET, "HS256"),
    "expired": jwt.encode(forged(exp=datetime.now(UTC)), SECRET, "HS256"),
}
