"""An auth server's public keys, served as a test wants it, and tokens that they verify."""

import json
from functools import cache
from time import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from jwt.algorithms import get_default_algorithms

from tests.support.provider import ANSWERS, Provider, http

KEYS = "keys"
"""A behaviour: the set is served."""
ALGORITHMS = ["EdDSA", "ES256", "ES512", "RS256", "PS256"]
Jwk = dict[str, Any]


@cache
def private_key(algorithm: str, number: int = 0) -> Any:
    """A key that signs so, another one for another number."""
    match algorithm:
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES512":
            return ec.generate_private_key(ec.SECP521R1())
        case "X25519":
            return x25519.X25519PrivateKey.generate()
        case "RS1024":
            return rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused
    return rsa.generate_private_key(65537, 2048)


def public_jwk(algorithm: str, key_id: str | None = None, number: int = 0, **changed: Any) -> Jwk:
    """The public half as Better Auth serves it; None as a value takes a member away."""
    public = private_key(algorithm, number).public_key()
    jwk = get_default_algorithms()[algorithm].to_jwk(public, as_dict=True)
    members = {**jwk, "key_ops": None, "alg": algorithm, "kid": key_id or algorithm, **changed}
    return {name: value for name, value in members.items() if value is not None}


def claims(issuer: str, **changed: Any) -> dict[str, Any]:
    """Those of Better Auth's tokens; None as a value takes a claim away."""
    user = {"name": "Ann", "email": "ann@example.com", "emailVerified": False, "id": "ann"}
    meant = {"sub": "ann", "iss": issuer, "aud": issuer, "exp": int(time()) + 900}
    given = {**user, **meant, **changed}
    return {name: value for name, value in given.items() if value is not None}


class KeyServer(Provider):
    """Serves a set of keys, one of each kind at first, and signs tokens with them."""

    def __init__(self) -> None:
        super().__init__()
        self.behaviour = KEYS
        self.keys: list[Any] = [public_jwk(algorithm) for algorithm in ALGORITHMS]

    def answer(self) -> bytes:
        if self.behaviour == KEYS:
            return http("200 OK", json.dumps({"keys": self.keys}).encode())
        return ANSWERS[self.behaviour]

    def sign(
        self,
        algorithm: str = "EdDSA",
        key_id: str | None = None,
        number: int = 0,
        **changed: Any,
    ) -> str:
        """A token for Ann, without a `typ`, as Better Auth makes them."""
        headers = {"kid": key_id or algorithm, "typ": None}
        key = private_key(algorithm, number)
        return jwt.encode(claims(self.url, **changed), key, algorithm, headers)
