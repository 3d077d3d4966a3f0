"""The key, and how this door words what is wrong."""

import json

import pytest
from httpx import AsyncClient

from tests.conftest import MISSING_ID
from tests.doors.contacts.conftest import Ask
from tests.support.application import talking_to
from tests.support.contacts import HEADERS, KEY, USER, assert_refused

PATHS = [
    ("GET", "/users"),
    ("POST", "/users"),
    ("GET", f"/users/{MISSING_ID}"),
    ("GET", "/calls"),
    ("POST", "/calls"),
    ("GET", f"/calls/{MISSING_ID}"),
    ("PATCH", f"/calls/{MISSING_ID}/status"),
    ("GET", "/tasks"),
    ("POST", "/tasks"),
    ("GET", f"/tasks/{MISSING_ID}"),
    ("PATCH", f"/tasks/{MISSING_ID}/status"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_a_missing_key_is_401_and_a_wrong_one_403_before_anything_else(
    client: AsyncClient, method: str, path: str
) -> None:
    for missing in ({}, {"X-API-Key": ""}):
        answer = await client.request(method, path, content=b"{", headers=missing)
        assert_refused(answer, 401, "Missing API key")
    for key in ("wrong", "kätzchen", KEY + "x", KEY.upper()):
        headers = {b"X-API-Key": key.encode()}
        answer = await client.request(method, path, content=b"{", headers=headers)
        assert_refused(answer, 403, "Invalid API key")


async def test_keys_of_other_doors_do_not_open_it(client: AsyncClient) -> None:
    for header in ("X-Service-Key", "X-Admin-Key", "Authorization"):
        assert (await client.get("/users", headers={header: KEY})).status_code == 401
    command = {"action": "list-tasks", "user_id": "user_123"}
    assert (await client.post("/execute", json=command, headers=HEADERS)).status_code == 401


async def test_without_its_key_the_door_does_not_exist(database_url: str) -> None:
    async with talking_to(database_url, mcp_enabled=False) as client:
        for method, path in PATHS:
            answer = await client.request(method, path, headers=HEADERS)
            assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
        assert "/users" not in (await client.get("/openapi.json")).json()["paths"]
        assert (await client.get("/")).json()["doors"] == ["commands", "admin", "console"]


async def test_the_index_names_the_open_door(database_url: str) -> None:
    async with talking_to(
        database_url, task_api_key=KEY, mcp_enabled=False, console_enabled=False
    ) as client:
        assert (await client.get("/")).json()["doors"] == ["commands", "admin", "contacts"]


async def test_no_more_than_a_hundred_characters_come_back(ask: Ask) -> None:
    answer = await ask("GET", f"/users/{'x' * 5000}")
    assert_refused(answer, 404, f"User {'x' * 100} not found")


async def test_other_errors_have_the_doors_shape_too(ask: Ask, client: AsyncClient) -> None:
    for method, path in (("DELETE", "/users"), ("PUT", f"/calls/{MISSING_ID}")):
        answer = await ask(method, path)
        assert_refused(answer, 405, "Method Not Allowed")
        assert answer.headers["allow"]
    large = {**USER, "notes": "x" * 2_000_000}
    answer = await ask("POST", "/users", large)
    assert_refused(answer, 413, "The request body is larger than 1048576 bytes")
    headers = {**HEADERS, "Content-Type": "application/json"}
    for body in (b"", b"{", b"[" * 100, b'{"name": NaN}', b"\xff"):
        answer = await client.post("/users", content=body, headers=headers)
        assert answer.status_code == 422
        assert isinstance(answer.json()["detail"], list)
        assert answer.json()["message"] == answer.json()["detail"][0]["msg"]


async def test_the_document_describes_the_door(client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for method, path in PATHS:
        template = path.replace(f"{MISSING_ID}", f"{{{path.split('/')[1][:-1]}_id}}")
        operation = document["paths"][template][method.lower()]
        assert operation["security"] == [{"PartnerKey": []}]
        assert {"401", "403", "500", "503"} <= operation["responses"].keys()
        for status, answer in operation["responses"].items():
            schema = json.dumps(answer["content"]["application/json"]["schema"])
            assert ("Refusal" in schema) is (status not in ("200", "201", "422"))
