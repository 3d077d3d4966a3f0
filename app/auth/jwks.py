"""The public keys of an auth server: its JSON Web Key Set, fetched now and then."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from ssl import SSLContext
from time import monotonic
from typing import Any

import httpx
from jwt import PyJWK, PyJWTError
from pydantic_core import from_json

from app.errors import TokenKeysUnavailable
from app.logs import logger

_PATIENCE = 2.0
_LONGEST_ANSWER = 64 * 1024
# Withdrawn keys end, and unknown ones are forgotten, after this.
_REFRESH_INTERVAL = 180.0
# An unknown key has the set fetched anew no more often than this; without any keys it is this.
_ASKING_INTERVAL = 30.0
_TRYING_INTERVAL = 1.0
_MOST_UNKNOWN = 1024

# What a key is good for follows from the key itself: what a token says of it counts for nothing,
# and what the set says no more than needed, as older sets leave it out or guess it.
_ALGORITHMS: Mapping[tuple[str, str | None], Sequence[str]] = {
    ("OKP", "Ed25519"): ["EdDSA"],
    ("EC", "P-256"): ["ES256"],
    ("EC", "P-521"): ["ES512"],
    ("RSA", None): ["RS256", "PS256"],
}
_SIGNING = [None, "Ed25519", *(name for names in _ALGORITHMS.values() for name in names)]
_PUBLIC_MEMBERS = ("kty", "crv", "x", "y", "n", "e")


@dataclass(frozen=True, eq=False)
class PublicKey:
    """A key that verifies signatures, and the algorithms by which it may."""

    key_id: str
    algorithms: Sequence[str]
    key: Any
    source: Mapping[str, Any]


@cache
def _trust() -> SSLContext:
    return httpx.create_ssl_context()


class KeySet:
    """The public keys at a URL, by their ids.

    While it is away the known ones keep working; TokenKeysUnavailable where none was ever fetched.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._tls = _trust()
        self._keys: dict[str, PublicKey] | None = None
        self._unknown: set[str] = set()
        self._tried_at = self._asked_at = -_ASKING_INTERVAL
        self._fetching: asyncio.Task[bool] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._is_away = False

    def holds(self, key: PublicKey) -> bool:
        """Whether this very key is still in the set."""
        return self._keys is not None and self._keys.get(key.key_id) is key

    async def find(self, key_id: str) -> PublicKey | None:
        """The key of this id; an unknown id has the set fetched anew, at most every 30 seconds."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh_regularly())
        if self._keys is None:
            await self._fetch_first()
        elif key_id not in self._keys and key_id not in self._unknown:
            await self._ask_for(key_id)
        if self._keys is None:
            raise TokenKeysUnavailable
        return self._keys.get(key_id)

    async def close(self) -> None:
        """Fetches no more."""
        for task in (self._refreshing, self._fetching):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _fetch_first(self) -> None:
        if self._is_fetching or monotonic() - self._tried_at >= _TRYING_INTERVAL:
            self._tried_at = monotonic()
            await self._fetch()

    async def _ask_for(self, key_id: str) -> None:
        if monotonic() - self._asked_at >= _ASKING_INTERVAL:
            self._asked_at = monotonic()
            # Whoever only waits beside may have asked for a key that came just after the answer.
            if await self._fetch():
                self._note_if_unknown(key_id)
        elif self._is_fetching:
            await self._fetch()

    def _note_if_unknown(self, key_id: str) -> None:
        if key_id not in (self._keys or {}) and len(self._unknown) < _MOST_UNKNOWN:
            self._unknown.add(key_id)

    async def _refresh_regularly(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_INTERVAL)
            if await self._fetch():
                self._unknown.clear()

    @property
    def _is_fetching(self) -> bool:
        return self._fetching is not None and not self._fetching.done()

    async def _fetch(self) -> bool:
        """Fetches the set, once for all who wait; whether it came."""
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._download_and_take())
        return await asyncio.shield(self._fetching)

    async def _download_and_take(self) -> bool:
        try:
            self._keys = _read(await self._download(), self._keys or {})
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            if not self._is_away:
                reason = f"{type(error).__name__}: {error}".rstrip(": ")
                logger.error("token_keys_away", url=self._url, reason=reason)
            self._is_away = True
            return False
        if self._is_away:
            logger.error("token_keys_back", url=self._url)
        self._is_away = False
        return True

    async def _download(self) -> bytes:
        # Unpacked, so that its length is known; redirects are not followed unless asked for.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        body = b""
        async with (
            asyncio.timeout(_PATIENCE),
            httpx.AsyncClient(verify=self._tls, timeout=None) as client,  # noqa: S113 - see above
            client.stream("GET", self._url, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                raise ValueError(f"status {answer.status_code}")
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > _LONGEST_ANSWER:
                    raise ValueError("more than 64 KiB")
        return body


def _read(body: bytes, known: Mapping[str, PublicKey]) -> dict[str, PublicKey]:
    """The usable keys of a set by their ids, those that are as before being the same objects."""
    content = from_json(body)
    if not isinstance(content, dict) or not isinstance(content.get("keys"), list):
        raise ValueError("no key set")  # noqa: TRY004 - of what a stranger sent
    keys: dict[str, PublicKey] = {}
    for source in content["keys"]:
        if (key := _usable(source)) is not None:
            before = known.get(key.key_id)
            keys[key.key_id] = before if before and before.source == source else key
    return keys


def _usable(source: Any) -> PublicKey | None:
    """The key, if it is one that verifies signatures."""
    if not isinstance(source, dict) or not isinstance(source.get("kid"), str):
        return None
    algorithms = _algorithms(source)
    if not algorithms:
        return None
    public = {name: source[name] for name in _PUBLIC_MEMBERS if name in source}
    try:
        jwk = PyJWK(public, algorithms[0])
        too_short = jwk.Algorithm.check_key_length(jwk.key)
    except (PyJWTError, ValueError, TypeError):
        return None
    return None if too_short else PublicKey(source["kid"], algorithms, jwk.key, source)


def _algorithms(source: Mapping[str, Any]) -> Sequence[str]:
    """What such a key signs with: by its type and curve, of RSA's two the one that is named."""
    kind = source.get("kty"), None if source.get("kty") == "RSA" else source.get("crv")
    named = source.get("alg")
    if source.get("use", "sig") != "sig" or named not in _SIGNING:
        return []
    possible = next((names for known, names in _ALGORITHMS.items() if known == kind), [])
    return [name for name in possible if name == named] or possible
