"""Tokens of people whom an auth server signs in, verified by its public keys or a shared secret."""

from base64 import urlsafe_b64decode
from hashlib import sha256
from time import time
from typing import Any, NamedTuple

import jwt
from fastapi import Request
from fastapi.security import HTTPBearer
from pydantic import ValidationError
from pydantic_core import from_json

from app.auth import tokens
from app.auth.jwks import KeySet, PublicKey
from app.auth.people import bearer_token
from app.config import Settings
from app.errors import BearerUnauthorized, Forbidden
from app.models.caller import Caller
from app.state import resources_of

USER_TOKEN = HTTPBearer(
    scheme_name="UserToken",
    bearerFormat="JWT",
    description="The token with which Better Auth signs a user in; the path names that user.",
    auto_error=False,
)

_MOST_REMEMBERED = 1024


class _Verified(NamedTuple):
    subject: str
    ends_at: float
    key: PublicKey


class UserTokens:
    """Whose a token is, by the settings of Better Auth.

    What a public key verified is remembered until the token ends or the key is withdrawn.
    """

    def __init__(self, settings: Settings) -> None:
        secret, url = settings.better_auth_secret, settings.token_keys_url
        self._secret = secret.get_secret_value() if secret else None
        self._keys = KeySet(url) if url else None
        self._issuer, self._audience = settings.token_issuer, settings.token_audience
        self._verified: dict[bytes, _Verified] = {}

    async def find_subject(self, token: str) -> str:
        """The token's subject; BearerUnauthorized unless it is signed, in time and meant for us."""
        digest = sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is None or self._keys is None or not self._keys.holds(known.key):
            return await self._verify(token, digest)
        return known.subject if time() < known.ends_at else await self._verify(token, digest)

    async def _verify(self, token: str, digest: bytes) -> str:
        header = _read_header(token)
        if self._keys is None or header.get("alg") == tokens.SHARED:
            # Never with what is public: only a secret makes such a signature mean anything.
            if self._secret is None:
                raise BearerUnauthorized
            issuer, audience = self._issuer, self._audience
            return tokens.verify(self._secret, token, issuer=issuer, audience=audience)
        key_id = header.get("kid")
        key = await self._keys.find(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise BearerUnauthorized
        verified = self._check(token, key)
        self._remember(digest, verified)
        return verified.subject

    def _check(self, token: str, key: PublicKey) -> _Verified:
        options: Any = {"require": ["sub", "exp", "iss", "aud"], "verify_iat": False}
        try:
            claims = jwt.decode(
                token,
                key.key,
                key.algorithms,
                options,
                audience=self._audience,
                issuer=self._issuer,
                leeway=tokens.LEEWAY,
            )
            return _Verified(tokens.subject(claims), int(claims["exp"]), key)
        except (jwt.PyJWTError, ValidationError):
            raise BearerUnauthorized from None

    def _remember(self, digest: bytes, verified: _Verified) -> None:
        if len(self._verified) >= _MOST_REMEMBERED:
            self._verified.clear()
        self._verified[digest] = verified

    async def close(self) -> None:
        """Fetches no more keys."""
        if self._keys is not None:
            await self._keys.close()


def _read_header(token: str) -> Any:
    """What a token says of itself, which only chooses the key; all of it is verified with that."""
    try:
        header = from_json(urlsafe_b64decode(f"{token.partition('.')[0]}=="))
    except ValueError:
        raise BearerUnauthorized from None
    return header if isinstance(header, dict) else {}


async def user_token(request: Request) -> Caller:
    """The user whom both a token of the auth server and the path name."""
    known = resources_of(request.scope)[UserTokens]
    user_id = await known.find_subject(bearer_token(request) or "")
    if user_id != request.path_params["user_id"]:
        raise Forbidden("The token is another user's")
    return Caller("user", "user-token", user_id=user_id)
