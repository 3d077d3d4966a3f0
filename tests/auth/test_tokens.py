import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from app.auth import tokens
from app.errors import BearerUnauthorized

SECRET = "f" * 32
NOW = datetime.now(UTC)
CLAIMS: dict[str, Any] = {
    "sub": "user_123",
    "email": "whiskers@example.com",
    "iat": NOW,
    "exp": NOW + timedelta(hours=1),
    "jti": "1",
}


def encoded(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def signed(claims: object, header: object = None) -> str:
    """A token with a right signature, whatever is in it."""
    content = encoded(header or {"alg": "HS256", "typ": "JWT"}) + b"." + encoded(claims)
    signature = hmac.digest(SECRET.encode(), content, "sha256")
    return (content + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def without(claim: str) -> dict[str, Any]:
    return {name: value for name, value in CLAIMS.items() if name != claim}


def refuse(token: str, *required: str) -> None:
    with pytest.raises(BearerUnauthorized) as refused:
        tokens.verify(SECRET, token, required or ("sub", "exp"))
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
    assert refused.value.message == "Invalid or expired token"


def test_issued_token_has_the_documented_claims_for_an_hour() -> None:
    token = tokens.issue(SECRET, "user_123", "whiskers@example.com")
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, SECRET, ["HS256"])
    assert set(claims) == {"sub", "email", "iat", "exp", "jti"}
    assert (claims["sub"], claims["email"]) == ("user_123", "whiskers@example.com")
    assert claims["exp"] - claims["iat"] == 3600
    assert tokens.verify(SECRET, token, tokens.ISSUED_CLAIMS) == "user_123"


def test_no_two_tokens_have_the_same_id() -> None:
    issued = [tokens.issue(SECRET, "user_123", "whiskers@example.com") for _ in range(50)]
    assert len({jwt.decode(token, SECRET, ["HS256"])["jti"] for token in issued}) == 50


def test_token_without_a_signature_is_refused() -> None:
    refuse(jwt.encode(CLAIMS, "", "none"))
    for algorithm in ("none", "None", "NONE", "nOnE"):
        header, claims = encoded({"alg": algorithm}), encoded({"sub": "user_123", "exp": 2**40})
        refuse(b".".join((header, claims, b"")).decode())
        refuse(signed({"sub": "user_123", "exp": 2**40}, {"alg": algorithm}))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_other_algorithm_is_refused(algorithm: str) -> None:
    refuse(jwt.encode(CLAIMS, SECRET.ljust(64, "f"), algorithm))
    refuse(signed({"sub": "user_123", "exp": 2**40}, {"alg": algorithm}))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "HS256 ", "hs256", 1, None, []])
def test_header_of_another_algorithm_over_our_signature_is_refused(algorithm: object) -> None:
    refuse(signed({"sub": "user_123", "exp": 2**40}, {"alg": algorithm}))


def test_other_key_is_refused() -> None:
    refuse(jwt.encode(CLAIMS, "e" * 32, "HS256"))


def test_changed_token_is_refused() -> None:
    header, _, signature = tokens.issue(SECRET, "user_123", "whiskers@example.com").split(".")
    claims = encoded({"sub": "another", "exp": 2**40}).decode()
    refuse(f"{header}.{claims}.{signature}")
    refuse(f"{header}.{claims}.")
    refuse(f"{header}.{claims}")


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_token_without_a_required_claim_is_refused(claim: str) -> None:
    refuse(jwt.encode(without(claim), SECRET, "HS256"), *tokens.ISSUED_CLAIMS)


def test_token_of_another_issuer_needs_subject_and_expiry_only() -> None:
    token = signed({"sub": "user_123", "exp": 2**40, "aud": "https://a.example", "iss": "b"})
    assert tokens.verify(SECRET, token) == "user_123"
    for claim in ("sub", "exp"):
        refuse(jwt.encode(without(claim), SECRET, "HS256"))


@pytest.mark.parametrize("seconds", [0, -1, -3600])
def test_expired_token_is_refused(seconds: int) -> None:
    refuse(jwt.encode({**CLAIMS, "exp": NOW + timedelta(seconds=seconds)}, SECRET, "HS256"))


@pytest.mark.parametrize("exp", ["x", None, [], {}, True, float("inf"), float("nan"), -1e400])
def test_expiry_that_is_no_instant_is_refused(exp: object) -> None:
    refuse(signed({"sub": "user_123", "exp": exp}))


@pytest.mark.parametrize("sub", ["", None, 7, ["a"], {"a": 1}, "a\x00", "\ud800", "a" * 256, True])
def test_subject_that_is_no_user_id_is_refused(sub: object) -> None:
    refuse(signed({"sub": sub, "exp": 2**40}))


def test_token_of_a_machine_whose_clock_is_ahead_is_accepted() -> None:
    ahead = {**CLAIMS, "iat": NOW + timedelta(seconds=5)}
    assert tokens.verify(SECRET, jwt.encode(ahead, SECRET, "HS256")) == "user_123"


def test_token_may_begin_a_few_seconds_from_now_and_no_later() -> None:
    begins = int(NOW.timestamp())
    soon = {**CLAIMS, "nbf": begins + 3}
    assert tokens.verify(SECRET, jwt.encode(soon, SECRET, "HS256")) == "user_123"
    refuse(jwt.encode({**CLAIMS, "nbf": begins + 600}, SECRET, "HS256"))
    refuse(signed({"sub": "user_123", "exp": 2**40, "nbf": "soon"}))


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "e30.e30.e30", "a" * 60_000])
def test_what_is_no_token_is_refused(token: str) -> None:
    refuse(token)


@pytest.mark.parametrize("claims", [[], "sub", 7, None, {}, {"sub": {"exp": 1}}])
def test_claims_that_are_none_are_refused(claims: object) -> None:
    refuse(signed(claims))
