"""What is refused before it is a command: the key, the envelope, the body around it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import AsyncClient, Response

from app.services import Connection, keys
from tests.commands.conftest import JSON, Send
from tests.conftest import SERVICE_HEADERS

REFUSED_KEY = {"detail": "Invalid or expired service key"}
MEBIBYTE = 1024 * 1024
ERROR_MEMBERS = ("type", "loc", "msg")
COMMAND = b'{"action": "get-stats", "user_id": "user_123"}'


def nested(depth: int) -> bytes:
    return COMMAND[:-1] + b', "x": %b%b}' % (b"[" * (depth - 1), b"]" * (depth - 1))


def assert_envelope_refused(answer: Response) -> None:
    assert answer.status_code == 422, answer.text
    assert set(answer.json()) == {"detail"}
    assert {frozenset(error) for error in answer.json()["detail"]} == {frozenset(ERROR_MEMBERS)}


@pytest.mark.parametrize("key", [None, "", "sk_prod_" + "0" * 64, "x" * 5000, "ключ".encode()])
@pytest.mark.parametrize("content", [b"{", b'{"action": "fly"}', b"x" * (MEBIBYTE + 1)])
async def test_key_is_checked_before_anything_else(send: Send, key: Any, content: bytes) -> None:
    answer = await send(content, {} if key is None else {"X-Service-Key": key})
    assert (answer.status_code, answer.json()) == (401, REFUSED_KEY)


@pytest.mark.parametrize("change", ["active = false", "expires_at = now() - interval '1 s'"])
async def test_inactive_or_expired_key_is_401(
    client: AsyncClient, db: Connection, change: str
) -> None:
    await keys.ensure_development_key(db)
    await db.execute(f"UPDATE service_api_keys SET {change}")
    answer = await client.post("/execute", content=COMMAND, headers=JSON)
    assert (answer.status_code, answer.json()) == (401, REFUSED_KEY)


async def test_envelope_is_checked_before_the_action(send: Send) -> None:
    assert_envelope_refused(await send(b'{"action": "fly", "payload": {}}'))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"null", b"7", b'"s3cr3t"', b"[]", COMMAND + b"}", COMMAND + b"\x00"),
        *(b'{"action": "get-stats"}', b'{"user_id": "s3cr3t"}', b'{"Action": "get-stats"}'),
        *(COMMAND.replace(b'"get-stats"', value) for value in (b'""', b"null", b"7", b'["a"]')),
        *(COMMAND.replace(b"user_123", value) for value in (b"", b"u" * 256, b"s3cr3t\\u0000")),
        *(COMMAND.replace(b"user_123", value) for value in (b"s3cr3t\\ud800", b"\xff", b"\x01")),
        *(COMMAND.replace(b'"user_123"', value) for value in (b"null", b"7", b"true", b"{}")),
        *(
            COMMAND.replace(b"get-stats", value)
            for value in (b"a\\u0000", b"a\\udc00", b"\xc0\x80")
        ),
        *(COMMAND[:-1] + b', "payload": %b}' % value for value in (b"null", b"[]", b'"s3cr3t"')),
        COMMAND[:-1] + b', "options": {%b}}' % b",".join(b'"%d": 0' % n for n in range(90_000)),
        *(COMMAND[:-1] + b', "x": %b}' % value for value in (b"NaN", b"Infinity", b"-Infinity")),
        *(COMMAND[:-1] + b', "payload": {"x": NaN}}', b"\xef\xbb\xbf" * 2 + COMMAND),
        *(COMMAND.decode().encode("utf-16"), b"[" * 1000, b"[" * 1000 + b"]" * 1000),
        *(b'{"a":' * 1000, b"[" * 100_000, nested(33)),
    ],
)
async def test_wrong_envelope_is_422_and_not_echoed(send: Send, content: bytes) -> None:
    answer = await send(content)
    assert_envelope_refused(answer)
    assert "s3cr3t" not in answer.text


@pytest.mark.parametrize(
    "content", [nested(32), COMMAND.replace(b"user_123", "ü".encode() * 255), b" \n" + COMMAND]
)
async def test_envelope_at_its_limits_is_accepted(send: Send, content: bytes) -> None:
    assert (await send(content)).status_code == 200


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/jsonp", "json"])
async def test_other_content_type_is_422(send: Send, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert_envelope_refused(await send(COMMAND, {**SERVICE_HEADERS, **headers}))


async def test_spelling_and_parameters_of_the_content_type_do_not_matter(send: Send) -> None:
    headers = {**SERVICE_HEADERS, "Content-Type": "Application/JSON; charset=utf-8"}
    assert (await send(COMMAND, headers)).status_code == 200


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("excess", "status"), [(0, 200), (1, 413)])
async def test_body_over_one_mebibyte_is_413(
    send: Send, streamed: bool, excess: int, status: int
) -> None:
    body = COMMAND.ljust(MEBIBYTE + excess)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    answer = await send(chunks() if streamed else body)
    assert ("content-length" in answer.request.headers) != streamed
    assert answer.status_code == status
    assert status == 200 or set(answer.json()) == {"detail"}
