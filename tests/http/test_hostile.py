"""Whatever is sent, the answer is a documented refusal in JSON that repeats nothing of it."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from copy import deepcopy
from time import perf_counter
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.commands.catalogue import Tool, catalogue_of, permitted
from app.models.caller import Caller
from app.services import Connection
from tests.conftest import ADMIN_HEADERS, MISSING_ID, SERVICE_HEADERS

# What chance covers, a test that says so covers too; to note it takes half as long again.
pytestmark = pytest.mark.no_cover

MARKER = "s3cr3t"
SLOWEST_ANSWER = 2.0
TOOLS = {tool.name: tool for tool in catalogue_of(permitted(Caller("service", "fuzz"))).tools}

Headers = list[tuple[bytes, bytes]]
Ask = Callable[..., Awaitable[Response]]

hostile = settings(deadline=None, suppress_health_check=list(HealthCheck))
each_action = pytest.mark.parametrize("tool", TOOLS.values(), ids=list(TOOLS))


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    value: list[Any] = [MARKER]
    for _ in range(depth):
        value = [value]
    return value


ODD_TEXTS = (
    *("", " ", "\t\r\n", "\u200b", "\ufeff", "\x00", "\ud800", "\udfff\ud800", "\x7f\x1b[31m"),
    *(f"{MARKER}\x00", f"{MARKER}\ud800", f"{MARKER}\r\nX-Injected: 1", f"'; SELECT '{MARKER}"),
    *(f"%s%n{{0}}{MARKER}", f"../../{MARKER}", f"<script>{MARKER}</script>", MARKER * 9000),
    *("x" * 255, "x" * 256, "💣" * 500, "x" * 501, "x" * 100_000, "x" * 100_001, "NaN", "null"),
)
NUMBERS = (
    *(0, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, 2**64, 10**400, 1e308, 5e-324, -0.0),
    *(float("nan"), float("inf"), float("-inf"), 1732190000, 1.5),
)
DATES = (
    *("0000-00-00", "0001-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "1900-01-01T00:00:00+23:59"),
    *("9998-12-31T23:59:59-23:59", "9999-12-31T23:59:59-12:00", "2024-02-30T00:00:00Z"),
    *("2024-02-29T24:00:00Z", "2024-12-31T23:59:60Z", "2024-01-01T00:00:00+99:99", "2024-01-01"),
    *("20240101T000000Z", "12024-01-01T00:00:00Z", "infinity", "now", f"2024-01-01{MARKER}"),
    *("2024-01-01T00:00:00.999999999999Z", "٢٠٢٤-01-01T00:00:00Z", "2024-W01-1"),
)
IDS = (
    *("{550e8400-e29b-41d4-a716-446655440000}", "urn:uuid:550e8400-e29b-41d4-a716-446655440000"),
    *("550E8400E29B41D4A716446655440000", "0" * 32, "f" * 33, f"{MISSING_ID} ", f"{MISSING_ID}'"),
)
texts = st.sampled_from(ODD_TEXTS) | st.text() | st.text(st.characters(categories=["Cs", "Cc"]))
scalars = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.integers() | st.floats() | texts
# An option that does not exist is refused by its name, so names are unmarked: values are not told.
names = texts.filter(lambda text: MARKER not in text)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
) | st.sampled_from((30, 31, 33, 200)).map(nested)


def boundaries(schema: Any) -> Iterator[Any]:
    """Values at and just beyond every limit that a schema states, wherever in it."""
    if isinstance(schema, list):
        for part in schema:
            yield from boundaries(part)
    elif isinstance(schema, dict):
        for limit in ("minLength", "maxLength"):
            if limit in schema:
                yield from ("x" * max(0, schema[limit] + step) for step in (-1, 0, 1))
        for value in (*schema.get("enum", ()), *filter(None, [schema.get("const")])):
            yield from (value, [value], {MARKER: value}, str(value).upper(), f"{value} ")
        yield from {"date-time": DATES, "uuid": IDS}.get(schema.get("format", ""), ())
        yield from schema.get("examples", ())
        for part in schema.values():
            yield from boundaries(part)


def hostile_values(schema: Any) -> st.SearchStrategy[Any]:
    """Values of every JSON type, and those that the schema makes interesting."""
    interesting = list(boundaries(schema))
    return st.sampled_from(interesting) | values if interesting else values


@st.composite
def damaged(draw: st.DrawFn, schema: dict[str, Any], examples: list[Any]) -> dict[str, Any]:
    """An example some of whose members, or one that nobody knows, are missing or hostile."""
    body: dict[str, Any] = deepcopy(draw(st.sampled_from(examples)))
    fields = {**schema.get("properties", {}), MARKER: {}}
    for name in draw(st.lists(st.sampled_from(list(fields)), min_size=1, max_size=3, unique=True)):
        if draw(st.integers(0, 5)):
            body[name] = draw(hostile_values({**fields[name], "defs": schema.get("$defs")}))
        else:
            body.pop(name, None)
    return body


ENVELOPE: dict[str, Any] = {
    "properties": {
        "action": {"enum": list(TOOLS), "maxLength": 100},
        "user_id": {"maxLength": 255},
        "payload": {},
        "options": {
            "examples": [
                {"idempotency_key": value}
                for value in (
                    "k",
                    "",
                    "x" * 256,
                    "k k",
                    "k\x00",
                    "ключ",
                    None,
                    1,
                    ["k"],
                    nested(40),
                )
            ]
            + [{MARKER[:3]: 1}, {"\ud800": 1}, {"": None}],
        },
    }
}
envelopes = damaged(ENVELOPE, [example for tool in TOOLS.values() for example in tool.examples])


def encode(body: Any) -> bytes:
    """JSON, which may have NaN and escaped lone surrogates in it."""
    return json.dumps(body).encode()


@st.composite
def broken(draw: st.DrawFn, bodies: st.SearchStrategy[Any]) -> bytes:
    """A body that is no JSON, or barely: cut off, in another encoding, doubled, far too deep."""
    text = encode(draw(bodies))
    place = draw(st.integers(0, len(text)))
    junk = draw(st.binary(max_size=8) | st.sampled_from((b"\xff", b"\xc0\x80", b"\xed\xa0\x80")))
    return draw(
        st.sampled_from(
            (
                *(text[:place], text[place:], text[:place] + junk + text[place:], text + text),
                *(text.replace(b"{", b'{"action": "%b", ' % MARKER.encode(), 1), junk, b""),
                *(b"\xef\xbb\xbf" + text, text.decode().encode("utf-16"), b"[" * 100_000),
                *(b'{"a":' * place + b"1" + b"}" * place, b"[" * place + b"]" * place),
                *(text.replace(b'"', b"'"), b'{"x": %b, %b' % (b"9" * 5000, text[1:])),
                b'{"payload": 1e999, "x": -%b, %b' % (b"0" * place, text[1:]),
            )
        )
    )


header_values = st.binary(max_size=40) | st.sampled_from(
    (b"", b"\xff\xfe", b"x" * 9000, b"../..", b"=?utf-8?q?x?=", b"\x00", b"1, 2", b"-1", b"k")
)
odd_headers = st.lists(
    st.tuples(
        st.sampled_from(
            (
                *(b"X-Request-ID", b"X-Trace-ID", b"traceparent", b"Idempotency-Key", b"Origin"),
                *(b"X-Service-Key", b"X-Admin-Key", b"Content-Length", b"Accept", b"Cookie"),
                *(b"Content-Encoding", b"Expect", b"If-None-Match", b"Authorization", b"Forwarded"),
            )
        ),
        header_values,
    ),
    max_size=4,
)
content_types = header_values | st.sampled_from(
    (
        *(b"application/json", b"APPLICATION/JSON ; charset=utf-16", b"application/json, text/x"),
        *(b"application/x-www-form-urlencoded", b"multipart/form-data", b"application/vnd.a+json"),
        *(b"multipart/form-data; boundary=", b"text/plain", b'application/json; charset="\xff'),
    )
)
JSON_TYPE: Headers = [(b"Content-Type", b"application/json")]


def raw(headers: dict[str, str]) -> Headers:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


SERVICE, ADMIN = raw(SERVICE_HEADERS), raw(ADMIN_HEADERS)


def told(answer: Response) -> str:
    """What it says, except for the names of members that there are not: these it has to name."""
    detail = answer.json().get("detail")
    if not isinstance(detail, list):
        return answer.text
    return str([error for error in detail if error["type"] != "extra_forbidden"])


@pytest.fixture
def ask(app: FastAPI, client: AsyncClient) -> Ask:
    """Sends a request to a documented operation, and holds its answer against the promises."""
    paths = app.openapi()["paths"]

    async def ask(method: str, path: str, url: str = "", **request: Any) -> Response:
        started = perf_counter()
        answer = await client.request(method, url or path, **request)
        seconds = perf_counter() - started
        documented = {int(status) for status in paths[path][method.lower()]["responses"]}
        assert answer.status_code < 500, answer.text
        assert answer.status_code in documented, (answer.status_code, answer.text)
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", answer.headers["x-request-id"])
        assert seconds < SLOWEST_ANSWER
        if answer.status_code not in (204, 304):
            assert answer.headers["content-type"] == "application/json"
            answer.json()
        if answer.status_code >= 400 and not answer.text.startswith('{"detail":"Unknown action: '):
            assert MARKER not in told(answer)
        return answer

    return ask


@each_action
@hostile
@given(data=st.data())
async def test_hostile_payload_is_answered_as_documented(
    ask: Ask, db: Connection, tool: Tool, data: st.DataObject
) -> None:
    insert = "INSERT INTO tasks (id, user_id, title) VALUES ($1, '', '') ON CONFLICT DO NOTHING"
    await db.execute(insert, MISSING_ID)
    example = tool.examples[0]
    payloads = [example["payload"] for example in tool.examples]
    bodies = damaged(tool.inputSchema, payloads).map(
        lambda payload: {**example, "payload": payload}
    )
    content = encode(data.draw(bodies))
    await ask("POST", "/execute", content=content, headers=SERVICE + JSON_TYPE)


@hostile
@given(body=envelopes)
async def test_hostile_envelope_is_answered_as_documented(ask: Ask, body: dict[str, Any]) -> None:
    answer = await ask("POST", "/execute", content=encode(body), headers=SERVICE + JSON_TYPE)
    if MARKER in answer.text and answer.status_code >= 400:
        assert answer.json() == {"detail": f"Unknown action: {body['action']}"}


@hostile
@given(content=values.map(encode) | broken(envelopes) | st.binary(), content_type=content_types)
async def test_broken_body_is_answered_as_documented(
    ask: Ask, content: bytes, content_type: bytes
) -> None:
    for headers in (JSON_TYPE, [(b"Content-Type", content_type)], []):
        await ask("POST", "/execute", content=content, headers=SERVICE + headers)


@hostile
@given(body=envelopes, headers=odd_headers, is_first=st.booleans())
async def test_odd_headers_are_answered_as_documented(
    ask: Ask, body: dict[str, Any], headers: Headers, *, is_first: bool
) -> None:
    usual = SERVICE + JSON_TYPE
    sent = headers + usual if is_first else usual + headers
    await ask("POST", "/execute", content=encode(body), headers=sent)
    await ask("GET", "/actions", headers=sent)


# Dots too, or the client would resolve "..", and ask for another path.
percent_encoded = (
    texts.map(lambda text: text[:3000].encode(errors="surrogatepass")) | st.binary()
).map(lambda value: quote_from_bytes(value, safe="").replace(".", "%2E"))


@hostile
@given(value=percent_encoded, more=st.sampled_from(("", "&user_id=x", "&user_id", "&&=;", "%")))
async def test_hostile_query_is_answered_as_documented(ask: Ask, value: str, more: str) -> None:
    await ask("GET", "/stats", f"/stats?user_id={value}{more}", headers=SERVICE)
    await ask("GET", "/stats", f"/stats?{value}{more}", headers=SERVICE)


@hostile
@given(name=percent_encoded)
async def test_hostile_path_is_answered_as_documented(ask: Ask, name: str) -> None:
    await ask("GET", "/actions/{name}", f"/actions/{name}", headers=SERVICE)
    if name:
        path = "/admin/service-keys/{key_id}"
        await ask("DELETE", path, f"/admin/service-keys/{name}", headers=ADMIN)
