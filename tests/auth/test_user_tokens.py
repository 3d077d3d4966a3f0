"""Which tokens an auth server's public keys open the user tasks door for."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, tzinfo
from time import time
from typing import Any, ClassVar, Self

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.auth import user_tokens
from app.auth.user_tokens import UserTokens
from app.config import Settings
from app.errors import BearerUnauthorized
from tests.support.key_server import ALGORITHMS, KeyServer, claims, private_key, public_jwk

SECRET = "a shared secret of 32 characters or more"
Refuse = Callable[[str], Awaitable[None]]


class Clock(datetime):
    """One that is set by hand, for PyJWT."""

    seconds: ClassVar[float]

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(cls.seconds, tz)


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    async with KeyServer() as server:
        yield server


def known_by(server: KeyServer, **settings: Any) -> UserTokens:
    given = {"better_auth_url": server.url, **settings}
    return UserTokens(Settings(database_url="postgresql://nowhere/none", **given))


@pytest.fixture
async def tokens(server: KeyServer) -> AsyncIterator[UserTokens]:
    """Those of a door with a URL and no secret."""
    tokens = known_by(server)
    yield tokens
    await tokens.close()


@pytest.fixture
def refuse(tokens: UserTokens) -> Refuse:
    async def refuse(token: str) -> None:
        with pytest.raises(BearerUnauthorized):
            await tokens.find_subject(token)

    return refuse


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("named", [True, False], ids=["with alg", "without alg"])
async def test_a_key_of_each_kind_verifies(
    server: KeyServer, tokens: UserTokens, algorithm: str, named: bool
) -> None:
    server.keys = [public_jwk(algorithm, alg=algorithm if named else None)]
    assert await tokens.find_subject(server.sign(algorithm)) == "ann"
    assert server.requests[0].startswith(b"GET /api/auth/jwks HTTP/1.1\r\n")


@pytest.mark.parametrize("guess", ["ES256", "RS256", "Ed25519"])
async def test_a_wrong_guess_of_the_set_counts_for_nothing(
    server: KeyServer, tokens: UserTokens, guess: str
) -> None:
    server.keys = [public_jwk("EdDSA", alg=guess)]
    assert await tokens.find_subject(server.sign()) == "ann"


@pytest.mark.parametrize(
    ("algorithm", "key"), [("PS256", "RS256"), ("ES512", "ES256"), ("EdDSA", "ES256")]
)
async def test_the_key_fixes_the_algorithm(
    server: KeyServer, refuse: Refuse, algorithm: str, key: str
) -> None:
    await refuse(server.sign(algorithm, key_id=key))
    if key == "RS256":  # the same key, but not what it is named for
        token = jwt.encode(claims(server.url), private_key(key), algorithm, {"kid": key})
        await refuse(token)


def shared(**named: object) -> str:
    """A token for Bob that the secret signs."""
    return jwt.encode({"sub": "bob", "exp": int(time()) + 60, **named}, SECRET, "HS256")


def forged(server: KeyServer, key: bytes, algorithm: str = "HS256") -> str:
    """A token that takes what is public for a secret."""
    header = {"alg": algorithm, "kid": "RS256"}
    parts = [urlsafe_b64encode(json.dumps(p).encode()) for p in (header, claims(server.url))]
    content = b".".join(part.rstrip(b"=") for part in parts)
    signature = urlsafe_b64encode(hmac.digest(key, content, "sha256")).rstrip(b"=")
    return f"{content.decode()}.{signature.decode()}"


@pytest.mark.parametrize("secret", [None, SECRET])
async def test_public_bytes_are_no_secret(server: KeyServer, secret: str | None) -> None:
    tokens = known_by(server, better_auth_secret=secret)
    public = private_key("RS256").public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    modulus = public_jwk("RS256")["n"].encode()
    for key in (pem, der, modulus, json.dumps(public_jwk("RS256")).encode(), b""):
        for algorithm in ("HS256", "RS256", "none"):
            with pytest.raises(BearerUnauthorized):
                await tokens.find_subject(forged(server, key, algorithm))
    await tokens.close()


async def test_with_both_settings_both_kinds_of_token_open_the_door(server: KeyServer) -> None:
    tokens = known_by(server, better_auth_secret=SECRET)
    assert await tokens.find_subject(shared()) == "bob"
    assert server.requests == []
    assert await tokens.find_subject(server.sign()) == "ann"
    await tokens.close()


@pytest.mark.parametrize("written", ["{}/", "{}/api/auth", "{}/api/auth/"])
async def test_the_url_may_end_in_a_slash_or_have_the_path(server: KeyServer, written: str) -> None:
    tokens = known_by(server, better_auth_url=written.format(server.url))
    assert await tokens.find_subject(server.sign()) == "ann"
    assert server.requests[0].startswith(b"GET /api/auth/jwks ")
    await tokens.close()


_ELSEWHERE = "https://elsewhere.example"


@pytest.mark.parametrize(
    "named",
    [
        *({"iss": _ELSEWHERE}, {"iss": ""}, {"aud": _ELSEWHERE}, {"aud": [_ELSEWHERE]}),
        *({"aud": []}, {"aud": None}, {"aud": 7}, {"aud": {}}),
    ],
)
async def test_a_shared_token_must_not_name_others_where_better_auth_is_known(
    server: KeyServer, named: dict[str, Any]
) -> None:
    tokens = known_by(server, better_auth_secret=SECRET)
    with pytest.raises(BearerUnauthorized):
        await tokens.find_subject(shared(**named))
    await tokens.close()
    unknowing = known_by(server, better_auth_url=None, better_auth_secret=SECRET)
    assert await unknowing.find_subject(shared(**named)) == "bob"


async def test_a_shared_token_may_name_us(server: KeyServer) -> None:
    tokens = known_by(server, better_auth_secret=SECRET)
    url = server.url
    for named in ({"iss": url}, {"aud": url}, {"iss": url, "aud": [_ELSEWHERE, url]}):
        assert await tokens.find_subject(shared(**named)) == "bob"
    await tokens.close()


async def test_without_the_secret_a_shared_one_opens_nothing(
    server: KeyServer, refuse: Refuse
) -> None:
    await refuse(shared())
    await refuse(jwt.encode(claims(server.url), SECRET, "HS256", {"kid": "EdDSA"}))


@pytest.mark.parametrize("claim", ["sub", "exp", "iss", "aud"])
async def test_a_token_without_a_required_claim_is_refused(
    server: KeyServer, refuse: Refuse, claim: str
) -> None:
    changed: dict[str, Any] = {claim: None}
    await refuse(server.sign(**changed))


@pytest.mark.parametrize(
    "changed",
    [
        *({"iss": "https://elsewhere.example"}, {"aud": "https://elsewhere.example"}),
        *({"aud": []}, {"aud": ["https://elsewhere.example"]}, {"aud": [7]}, {"aud": {}}),
        *({"sub": ""}, {"sub": "a" * 256}, {"sub": 7}, {"exp": "x"}, {"exp": -1e400}),
    ],
)
async def test_a_token_that_is_not_meant_for_us_is_refused(
    server: KeyServer, refuse: Refuse, changed: dict[str, Any]
) -> None:
    await refuse(server.sign(**changed))


async def test_the_audience_may_be_one_of_several(server: KeyServer, tokens: UserTokens) -> None:
    several = ["https://elsewhere.example", server.url]
    assert await tokens.find_subject(server.sign(aud=several)) == "ann"


async def test_issuer_audience_and_place_of_the_keys_can_be_told(server: KeyServer) -> None:
    tokens = known_by(
        server,
        better_auth_url="https://auth.example.com",
        better_auth_jwks_url=f"{server.url}/keys",
        better_auth_issuer="cat-house",
        better_auth_audience="tasks",
    )
    assert await tokens.find_subject(server.sign(iss="cat-house", aud="tasks")) == "ann"
    assert server.requests[0].startswith(b"GET /keys ")
    with pytest.raises(BearerUnauthorized):
        await tokens.find_subject(server.sign())
    await tokens.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    """At a whole second."""
    monkeypatch.setattr(Clock, "seconds", float(int(time())), raising=False)
    monkeypatch.setattr(user_tokens, "time", lambda: Clock.seconds)
    monkeypatch.setattr("jwt.api_jwt.datetime", Clock)
    return Clock


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -4), ("nbf", 5), ("iat", 60)])
async def test_clocks_may_differ_by_five_seconds(
    server: KeyServer, tokens: UserTokens, clock: type[Clock], claim: str, seconds: int
) -> None:
    changed: dict[str, Any] = {claim: int(clock.seconds) + seconds}
    assert await tokens.find_subject(server.sign(**changed)) == "ann"


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -5), ("nbf", 6)])
async def test_but_not_by_more(
    server: KeyServer, refuse: Refuse, clock: type[Clock], claim: str, seconds: int
) -> None:
    changed: dict[str, Any] = {claim: int(clock.seconds) + seconds}
    await refuse(server.sign(**changed))


async def test_a_token_ends_five_seconds_late_whether_remembered_or_not(
    server: KeyServer, tokens: UserTokens, refuse: Refuse, clock: type[Clock]
) -> None:
    remembered, other = (server.sign(exp=int(clock.seconds) + 60, nonce=n) for n in range(2))
    assert await tokens.find_subject(remembered) == "ann"
    clock.seconds += 64.999
    assert [await tokens.find_subject(one) for one in (remembered, other)] == ["ann", "ann"]
    clock.seconds += 0.001
    await refuse(remembered)
    await refuse(other)


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "é.é.é", "e30.e30.e30", "a" * 60_000])
async def test_what_is_no_token_is_refused(server: KeyServer, refuse: Refuse, token: str) -> None:
    await refuse(token)
    assert server.requests == []


@pytest.mark.parametrize("key_id", [7, None, [], {}, ""])
async def test_a_token_that_names_no_key_is_refused(
    server: KeyServer, refuse: Refuse, key_id: object
) -> None:
    header = urlsafe_b64encode(json.dumps({"alg": "EdDSA", "kid": key_id}).encode()).rstrip(b"=")
    _, content, signature = server.sign().split(".")
    await refuse(f"{header.decode()}.{content}.{signature}")


async def test_a_changed_token_is_refused_also_after_the_right_one(
    server: KeyServer, tokens: UserTokens, refuse: Refuse
) -> None:
    token = server.sign()
    assert await tokens.find_subject(token) == "ann"
    header, _, signature = token.split(".")
    content = urlsafe_b64encode(json.dumps(claims(server.url, sub="bob")).encode()).decode()
    await refuse(f"{header}.{content.rstrip('=')}.{signature}")


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signatures are verified from here on."""
    verified: list[str] = []
    decode = jwt.decode

    def decode_and_note(token: str, *arguments: Any, **options: Any) -> Any:
        verified.append(token)
        return decode(token, *arguments, **options)

    monkeypatch.setattr(jwt, "decode", decode_and_note)
    return verified


async def test_a_remembered_token_ends_in_time(
    server: KeyServer,
    tokens: UserTokens,
    verified: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = server.sign(exp=int(time()) + 60)
    for _ in range(2):
        assert await tokens.find_subject(token) == "ann"
    assert verified == [token]
    monkeypatch.setattr(user_tokens, "time", lambda: time() + 60)
    await tokens.find_subject(token)
    assert verified == [token, token]  # which refuses it once it is over


async def test_a_token_is_verified_once_and_no_memory_grows(
    server: KeyServer,
    tokens: UserTokens,
    verified: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(user_tokens, "_MOST_REMEMBERED", 3)
    token = server.sign()
    for _ in range(5):
        assert await tokens.find_subject(token) == "ann"
    assert verified == [token]
    for number in range(5):
        await tokens.find_subject(server.sign(nonce=number))
        assert len(tokens._verified) <= 3


async def test_a_remembered_token_ends_with_its_key(
    server: KeyServer, tokens: UserTokens, refuse: Refuse
) -> None:
    token = server.sign()
    assert await tokens.find_subject(token) == "ann"
    server.keys = [public_jwk("ES256")]
    await refuse(server.sign(key_id="made up"))  # has the keys fetched anew
    await refuse(token)
