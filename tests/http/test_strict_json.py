"""What a body may hold is bounded before any of it is built, and text counts as text."""

import json
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from httpx import AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from app.http.strict_json import MAX_DEPTH, MAX_VALUES, parse_json
from app.services import Connection
from tests.conftest import ADMIN_HEADERS, MISSING_ID, SERVICE_HEADERS, Execute
from tests.support.accounts import bearer
from tests.support.people import acting_for

TOO_MANY = "json_values"
TOO_DEEP = "json_depth"


def refusal(body: bytes, most_values: int = MAX_VALUES) -> str | None:
    """The kind of refusal; None for a body that is taken."""
    try:
        parse_json(body, most_values)
    except RequestValidationError as error:
        return str(error.errors()[0]["type"])
    return None


def count(value: Any) -> int:
    """The values within; an empty list or object may count twice."""
    if not isinstance(value, list | dict):
        return 0
    within = value.values() if isinstance(value, dict) else value
    return sum(1 + count(member) for member in within) + (not value)


def depth(value: Any) -> int:
    if not isinstance(value, list | dict):
        return 0
    within = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, within), default=0)


# Characters that a reader of brackets and commas could take for something else.
texts = st.text(alphabet='\\"[]{},:é💣', max_size=8)
documents = st.recursive(
    texts | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=40,
)


@given(value=documents, ascii_only=st.booleans())
def test_values_are_counted_whatever_text_is_among_them(value: Any, *, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    number = count(value)
    assert refusal(body, number) is None
    assert parse_json(body, number) == value
    if number:
        assert refusal(body, number - 1) == TOO_MANY


@given(value=documents, levels=st.integers(0, 40))
def test_levels_are_counted_whatever_text_is_among_them(value: Any, levels: int) -> None:
    for _ in range(levels):
        value = {"\\": [value]} if levels % 2 else [value]
    expected = TOO_DEEP if depth(value) > MAX_DEPTH else None
    assert refusal(json.dumps(value).encode()) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[" * 100_000, TOO_DEEP),
        (b'{"a":' * 33 + b"1" + b"}" * 33, TOO_DEEP),
        (b"[" * 32 + b"]" * 32, None),
        (b"]" * 100_000 + b"[" * 33, "json_invalid"),
        (b'"' * 100_000, "json_invalid"),
        (rb"\"" * 100_000, "json_invalid"),
        (b"[%b]" % b",".join([b"1"] * MAX_VALUES), None),
        (b"[%b]" % b",".join([b"1"] * (MAX_VALUES + 1)), TOO_MANY),
        (b"[%b" % b",".join([b"1"] * (MAX_VALUES + 1)), TOO_MANY),
        (b'["%b", "%b"]' % (b"," * 500_000, b"[{" * 250_000), None),
    ],
)
def test_refusal_says_which_bound_it_is(body: bytes, expected: str | None) -> None:
    assert refusal(body) == expected


async def test_a_door_takes_no_more_values_than_a_task_could_need(client: AsyncClient) -> None:
    answers = [
        await client.post(
            "/api/tasks",
            json={"title": "Feed cat", "tags": ["x"] * 100, "unknown": ["x"] * number},
            headers=acting_for("user_123"),
        )
        for number in (1800, 2000)
    ]
    assert [answer.status_code for answer in answers] == [201, 422]
    assert "JSON has more than 2000 values" in answers[1].json()["detail"]


async def test_a_body_is_parsed_once(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: Request) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(Request, "json", fail)
    body = {"key_name": "cat-house", "environment": "dev"}
    answer = await client.post("/admin/service-keys", json=body, headers=ADMIN_HEADERS)
    assert answer.status_code == 201


async def test_an_answer_names_twenty_mistakes_at_most(
    client: AsyncClient, db: Connection, execute: Execute
) -> None:
    tags = {"title": "Feed cat", "tags": [1] * 100}
    answer = await execute("create-task", **tags)
    assert (answer.status_code, len(answer.json()["errors"])) == (400, 20)
    answer = await client.post("/api/tasks", json=tags, headers=acting_for("user_123"))
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 20)
    unknown = "&".join(f"unknown{number}" for number in range(30))
    answer = await client.get(f"/api/v1/tasks?{unknown}", headers=await bearer(db, MISSING_ID))
    assert (answer.status_code, answer.json()["detail"].count("unknown")) == (400, 20)


async def test_a_query_of_more_than_100_parameters_is_414(client: AsyncClient) -> None:
    for parameters, status in ((100, 200), (101, 414)):
        query = "user_id=user_123" + "&x" * (parameters - 1)
        answer = await client.get(f"/stats?{query}", headers=SERVICE_HEADERS)
        assert answer.status_code == status
        assert (answer.json().keys() == {"detail"}) == (status == 414)
