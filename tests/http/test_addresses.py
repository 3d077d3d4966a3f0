"""An address means the same with a slash at its end, and its query is UTF-8 or refused."""

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response

from app.services import Connection
from tests.conftest import ADMIN_HEADERS, SERVICE_HEADERS
from tests.doors.test_user_tasks import bearer as user_bearer
from tests.support.accounts import bearer
from tests.support.contacts import HEADERS as PARTNER
from tests.support.people import acting_for


def told(answer: Response) -> tuple[int, object]:
    return answer.status_code, answer.headers.get("allow") or answer.headers.get("location")


async def test_a_slash_at_the_end_changes_no_answer(client: AsyncClient, app: FastAPI) -> None:
    paths = [path.replace("{", "").replace("}", "") for path in app.openapi()["paths"]]
    for path in paths:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            plain = await client.request(method, path)
            slashed = await client.request(method, path if path == "/" else f"{path}/")
            assert told(slashed) == told(plain), (method, path)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_the_documentation_is_served_with_a_slash_too(client: AsyncClient, path: str) -> None:
    plain, slashed = await client.get(path), await client.get(f"{path}/")
    assert (slashed.status_code, slashed.content) == (200, plain.content)


@pytest.mark.parametrize("path", ["/execute//", "//execute", "/nowhere/"])
async def test_only_one_slash_is_passed_over(client: AsyncClient, path: str) -> None:
    assert (await client.request("GET", f"http://test{path}")).status_code == 404


async def test_tasks_are_written_and_listed_at_addresses_with_a_slash(client: AsyncClient) -> None:
    for path, headers in (
        ("/api/tasks/", acting_for("user_123")),
        ("/api/user_123/tasks/", user_bearer("user_123")),
    ):
        made = await client.post(path, json={"title": "Feed cat"}, headers=headers)
        assert made.status_code == 201
        one = await client.get(f"{path}{made.json()['id']}/", headers=headers)
        assert one.json() == made.json()


async def test_a_query_that_is_no_utf8_is_400_at_every_door(
    client: AsyncClient, db: Connection
) -> None:
    holder = await bearer(db, "0199d1a8-7c1e-7b1f-9a53-2f6f0d6b7a11")
    for path, headers, members in (
        ("/stats?user_id=caf%e9", SERVICE_HEADERS, ["detail"]),
        ("/admin/service-keys?x=%ff", ADMIN_HEADERS, ["detail"]),
        ("/api/tasks?x=%e9", acting_for("user_123"), ["detail"]),
        ("/api/v1/tasks?status=%e9", holder, ["detail"]),
        ("/api/user_123/tasks?search=%e9", user_bearer("user_123"), ["detail", "code"]),
        ("/calls?user_id=%e9", PARTNER, ["success", "message"]),
    ):
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, list(answer.json())) == (400, members), path


async def test_a_path_that_is_no_utf8_leads_nowhere(client: AsyncClient) -> None:
    for path in ("/users/%e9", "/api/%ff/tasks"):
        assert (await client.get(path, headers=PARTNER)).status_code == 404


async def test_a_query_means_its_utf8_whether_it_is_escaped_or_not(
    client: AsyncClient, app: FastAPI
) -> None:
    user_id, query = "käse", b""

    async def raw(scope, receive, send):  # type: ignore[no-untyped-def]
        await app({**scope, "query_string": query}, receive, send)

    client._transport.app = raw  # type: ignore[attr-defined]
    await client.post(
        "/execute",
        json={"action": "create-task", "user_id": user_id, "payload": {"title": "Feed cat"}},
        headers=SERVICE_HEADERS,
    )
    for query in ("user_id=käse".encode(), b"user_id=k%C3%A4se", "user_id=%6bäse".encode()):
        answer = await client.get("/stats", headers=SERVICE_HEADERS)
        assert answer.json()["total_tasks"] == 1, query
