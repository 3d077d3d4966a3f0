"""The accounts door meets whatever is sent, too, with a documented refusal in JSON."""

from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from app.services import Connection
from tests.conftest import MISSING_ID
from tests.http.test_hostile import (
    JSON_TYPE,
    Ask,
    ask,
    broken,
    content_types,
    damaged,
    encode,
    header_values,
    hostile,
    percent_encoded,
    raw,
    values,
)
from tests.support.accounts import EMAIL, bearer

# What chance covers, a test that says so covers too; to note it takes half as long again.
pytestmark = pytest.mark.no_cover

__all__ = ["ask"]  # a fixture

BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "/api/v1/auth/register": (
        "NewAccount",
        {"email": EMAIL, "password": "weak", "full_name": "Whiskers"},
    ),
    "/api/v1/auth/login": ("Credentials", {"email": EMAIL, "password": 1}),
    "/api/v1/auth/refresh": ("RefreshRequest", {"refresh_token": "0" * 96}),
    "/api/v1/categories": ("CreateCategory", {"name": "Litter", "color": "#123456"}),
}


@pytest.mark.parametrize("path", BODIES)
@hostile
@given(data=st.data())
async def test_hostile_body_is_answered_as_documented(
    app: FastAPI, db: Connection, ask: Ask, path: str, data: st.DataObject
) -> None:
    name, example = BODIES[path]
    bodies = damaged(app.openapi()["components"]["schemas"][name], [example])
    content = data.draw(bodies.map(encode) | broken(bodies) | values.map(encode))
    headers = data.draw(st.just(JSON_TYPE) | content_types.map(lambda it: [(b"Content-Type", it)]))
    await ask(
        "POST", path, content=content, headers=raw(await bearer(db, str(MISSING_ID))) + headers
    )


@hostile
@given(value=percent_encoded)
async def test_hostile_token_and_ids_are_answered_as_documented(
    ask: Ask, db: Connection, value: str
) -> None:
    headers = raw(await bearer(db, str(MISSING_ID)))
    await ask("GET", "/api/v1/auth/verify", f"/api/v1/auth/verify?token={value}")
    if value:
        path = "/api/v1/tasks/{task_id}/categories/{cat_id}"
        for method in ("POST", "DELETE"):
            url = f"/api/v1/tasks/{MISSING_ID}/categories/{value}"
            await ask(method, path, url, headers=headers)
        url = f"/api/v1/categories/{value}"
        await ask("DELETE", "/api/v1/categories/{cat_id}", url, headers=headers)


@hostile
@given(value=header_values, scheme=st.sampled_from((b"Bearer ", b"bearer\t", b"", b"Basic ")))
async def test_hostile_credential_is_401(ask: Ask, value: bytes, scheme: bytes) -> None:
    headers = [(b"Authorization", scheme + value)]
    answer = await ask("GET", "/api/v1/categories", headers=headers)
    assert answer.status_code == 401
