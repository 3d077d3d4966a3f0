"""JSON Web Tokens of HS256: what our own doors issue, and what a door accepts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from app.errors import BearerUnauthorized
from app.models.text import UserId

LIFETIME = timedelta(hours=1)
ISSUED_CLAIMS = ("sub", "email", "iat", "exp", "jti")
LEEWAY = 5.0
"""Seconds by which the clocks of two machines may differ."""
SHARED = "HS256"
"""The algorithm whose key both sides know."""
_SUBJECT = TypeAdapter(UserId)
# A token is not refused for being from the next second.
_UNCHECKED = {"verify_iat": False, "verify_aud": False}


def issue(secret: str, subject: str, email: str) -> str:
    """A token that says for an hour who its bearer is."""
    import jwt  # noqa: PLC0415 - see verify

    now = datetime.now(UTC)
    claims = {
        "sub": subject,
        "email": email,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": uuid4().hex,
    }
    return jwt.encode(claims, secret, SHARED)


def verify(
    secret: str,
    token: str,
    required: Sequence[str] = ("sub", "exp"),
    *,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """The subject; BearerUnauthorized unless the token is signed, in time and has these claims.

    Where an issuer and an audience are given, it need not name any, but must not name others.
    """
    import jwt  # noqa: PLC0415 - it loads cryptography where that is installed: 11 MB

    options: Any = {"require": [*required], **_UNCHECKED}
    try:
        claims = jwt.decode(token, secret, [SHARED], options, leeway=LEEWAY)
        if int(claims["exp"]) <= time():
            raise BearerUnauthorized  # it may begin early, but ends in time
        if not (_names(claims, "iss", issuer) and _names(claims, "aud", audience)):
            raise BearerUnauthorized
        return subject(claims)
    except (jwt.PyJWTError, ValidationError):
        raise BearerUnauthorized from None


def _names(claims: Mapping[str, Any], claim: str, wanted: str | None) -> bool:
    """Whether the claim is what is wanted, or has it among others, or is not there."""
    if wanted is None or claim not in claims:
        return True
    given = claims[claim]
    return wanted in given if isinstance(given, list) else bool(given == wanted)


def subject(claims: Mapping[str, Any]) -> str:
    """Whom the claims name; ValidationError where that is no user."""
    return _SUBJECT.validate_python(claims["sub"])
