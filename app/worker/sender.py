"""One attempt to tell an endpoint: signed by Standard Webhooks, and never where it must not go."""

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from secrets import token_bytes
from time import monotonic
from typing import NamedTuple

import httpcore
from standardwebhooks import Webhook

from app import __version__
from app.config import WorkerSettings
from app.database.encryption import Cipher
from app.services.webhooks import Target
from app.worker.addresses import Addresses, CheckedConnections, ForbiddenAddress, trusted

SECONDS = 10.0
MOST_IN_FLIGHT = 20
_KEPT_SECONDS = 60.0
_LONGEST_ANSWER = 16 * 1024
_LONGEST_ERROR = 200
_GONE = 410
_DIGITS = re.compile(r"\d{1,9}")
_AGENT = f"task-manager-api/{__version__}".encode()


class Answer(NamedTuple):
    """What came back: no status without an answer."""

    status: int | None
    duration_ms: int
    error: str | None
    retry_after: float | None = None
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether the endpoint has it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint wants no more."""
        return self.status == _GONE


class Message(NamedTuple):
    """What is sent: its id is the same on every attempt."""

    id: str
    body: bytes


def new_secret() -> str:
    """A secret as Standard Webhooks spells them."""
    return f"whsec_{b64encode(token_bytes(32)).decode()}"


class Sender:
    """Sends messages, with kept connections to each place; by no proxy, along no redirect."""

    def __init__(self, cipher: Cipher, addresses: Addresses, *, plain: bool) -> None:
        self._addresses = addresses
        self._network = CheckedConnections(addresses)
        self._plain = plain
        self._kept: dict[str, _Connections] = {}
        self._signer = lru_cache(128)(lambda secret: _signer(cipher, secret))

    async def check(self, url: str) -> None:
        """ForbiddenAddress where nothing is sent to; OSError where nobody is known to be."""
        parts = httpcore.URL(url)
        port = parts.port or (443 if parts.scheme == b"https" else 80)
        self._check_scheme(url)
        async with asyncio.timeout(SECONDS / 2):
            await self._addresses.find(parts.host.decode(), port)

    def _check_scheme(self, url: str) -> None:
        if not self._plain and not url.startswith("https:"):
            raise ForbiddenAddress("is not https")

    async def send(self, target: Target, message: Message) -> Answer:
        """One attempt, of ten seconds at most."""
        began, error, answer = monotonic(), None, None
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._post(target, message)
        except TimeoutError:
            error = f"no answer within {SECONDS:.0f} s"
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as failed:
            error = f"{type(failed).__name__}: {failed}"
        except (ForbiddenAddress, OSError, ValueError) as failed:
            error = str(failed) or type(failed).__name__
        duration = round((monotonic() - began) * 1000)
        if answer is None:
            return Answer(None, duration, (error or "")[:_LONGEST_ERROR])
        return answer._replace(duration_ms=duration)

    async def _post(self, target: Target, message: Message) -> Answer:
        self._check_scheme(target.url)
        headers = self._headers(target, message)
        async with (
            self._connections(target.url).lend() as connection,
            connection.stream(
                "POST", target.url, headers=headers, content=message.body
            ) as response,
        ):
            body = await _beginning(response)
        error = None if 200 <= response.status < 300 else f"answered {response.status}"
        return Answer(response.status, 0, error, _retry_after(response), body)

    def _headers(self, target: Target, message: Message) -> list[tuple[bytes, bytes]]:
        now, text = datetime.now(UTC), message.body.decode()
        signers = [self._signer(secret) for secret in target.secrets]
        signed = " ".join(signer.sign(message.id, now, text) for signer in signers)
        return [
            (b"content-type", b"application/json"),
            (b"user-agent", _AGENT),
            (b"webhook-id", message.id.encode()),
            (b"webhook-timestamp", b"%d" % now.timestamp()),
            (b"webhook-signature", signed.encode()),
        ]

    def _connections(self, url: str) -> "_Connections":
        if url not in self._kept:
            self._kept[url] = _Connections(url, trusted(), self._network)
        return self._kept[url]

    async def keep(self, urls: Collection[str]) -> None:
        """Ends the connections to everywhere else."""
        for url in self._kept.keys() - set(urls):
            await self._kept.pop(url).close()

    async def close(self) -> None:
        """Ends all connections."""
        await self.keep(())
        self._addresses.close()


class _Connections:
    """The connections to one place that nobody uses just now.

    A pool of httpcore's looks at each of its connections for every request: a third of its time.
    """

    def __init__(
        self, url: str, trusted: ssl.SSLContext, network: httpcore.AsyncNetworkBackend
    ) -> None:
        self._origin = httpcore.URL(url).origin
        self._trusted, self._network = trusted, network
        self._idle: list[httpcore.AsyncHTTPConnection] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[httpcore.AsyncHTTPConnection]:
        """One for a request, kept or new."""
        connection = await self._find() or self._open()
        try:
            yield connection
        finally:
            if connection.is_idle() and len(self._idle) < MOST_IN_FLIGHT:
                self._idle.append(connection)
            else:
                await connection.aclose()

    async def _find(self) -> httpcore.AsyncHTTPConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    def _open(self) -> httpcore.AsyncHTTPConnection:
        return httpcore.AsyncHTTPConnection(
            self._origin,
            self._trusted,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=self._network,
        )

    async def close(self) -> None:
        """Ends those that nobody uses."""
        while self._idle:
            await self._idle.pop().aclose()


def open_sender(settings: WorkerSettings) -> Sender:
    """What sends under these settings, which open webhooks."""
    assert settings.encryption_key is not None, "webhooks are closed"  # noqa: S101
    cipher = Cipher(settings.encryption_key.get_secret_value())
    addresses = Addresses(settings.webhook_allow_networks)
    return Sender(cipher, addresses, plain=settings.environment == "development")


def _signer(cipher: Cipher, secret: bytes) -> Webhook:
    text = cipher.decrypt(secret)
    if text is None:
        raise ValueError("its secret was encrypted under another ENCRYPTION_KEY")
    return Webhook(text)


async def _beginning(response: httpcore.Response) -> bytes:
    """So much of the body as anybody looks at; of a longer one the connection is not kept."""
    read = b""
    async for part in response.aiter_stream():
        read += part
        if len(read) > _LONGEST_ANSWER:
            break
    return read[:_LONGEST_ANSWER]


def _retry_after(response: httpcore.Response) -> float | None:
    """For how many seconds the endpoint wants to be left alone, in either spelling."""
    headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
    said = headers.get(b"retry-after", "")
    if _DIGITS.fullmatch(said):
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
