"""The administrator's door meets whatever is sent, too, with a documented refusal in JSON."""

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import MISSING_ID
from tests.http.test_hostile import (
    ADMIN,
    JSON_TYPE,
    Ask,
    ask,
    broken,
    content_types,
    damaged,
    encode,
    hostile,
    values,
)

# What chance covers, a test that says so covers too; to note it takes half as long again.
pytestmark = pytest.mark.no_cover

__all__ = ["ask"]  # a fixture


SCHEMAS = {
    "POST /admin/service-keys": "NewServiceKey",
    "POST /admin/rotate-key": "ServiceKeyRotation",
    "PATCH /admin/service-keys/{key_id}": "ServiceKeyChanges",
    "POST /admin/revocations": "NewRevocation",
}


@pytest.mark.parametrize("route", SCHEMAS)
@hostile
@given(data=st.data())
async def test_hostile_admin_body_is_answered_as_documented(
    app: FastAPI, ask: Ask, route: str, data: st.DataObject
) -> None:
    method, _, path = route.partition(" ")
    schema = app.openapi()["components"]["schemas"][SCHEMAS[route]]
    example = {"key_name": "cat-house", "environment": "dev", "scopes": ["*"], "expires_at": None}
    bodies = damaged(schema, [example])
    content = data.draw(bodies.map(encode) | broken(bodies) | values.map(encode))
    headers = data.draw(st.just(JSON_TYPE) | content_types.map(lambda it: [(b"Content-Type", it)]))
    url = path.format(key_id=MISSING_ID)
    await ask(method, path, url, content=content, headers=ADMIN + headers)
