"""A path is guarded by what is sent, so nothing guarded is reached by another spelling."""

from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from tests.conftest import ADMIN_HEADERS, SERVICE_HEADERS
from tests.doors.test_user_tasks import bearer
from tests.support.people import acting_for

GUARDED = [
    *("/admin%2Fservice-keys", "/%61dmin/service-keys", "/admin/%73ervice-keys", "/adm%69n%2f"),
    *("/admin/service%2Dkeys", "/admin/service-keys%0A", "/admin/service-keys%00"),
    *("/metrics%0A", "/%6Detrics", "/metric%73", "/docs%0A", "/%64ocs", "/openapi%2Ejson"),
]


@pytest.mark.parametrize("path", GUARDED)
async def test_a_guarded_path_is_reached_by_its_own_spelling_only(
    client: AsyncClient, path: str
) -> None:
    for headers in (ADMIN_HEADERS, {}):
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/admin/service-keys", "/metrics", "/docs", "/openapi.json"])
async def test_a_guarded_path_is_reached_by_its_own_spelling(
    client: AsyncClient, path: str
) -> None:
    assert (await client.get(path, headers=ADMIN_HEADERS)).status_code == 200


@pytest.mark.parametrize("character", ["%00", "%0A", "%0d", "%1F", "%7f", "%C2%85"])
async def test_a_path_with_a_control_character_leads_nowhere(
    client: AsyncClient, character: str
) -> None:
    for path in (f"/health/live{character}", f"/stats{character}", f"/{character}"):
        answer = await client.get(path, headers=SERVICE_HEADERS)
        assert (answer.status_code, list(answer.json())) == (404, ["detail"])
    answer = await client.post(f"/execute{character}", headers=SERVICE_HEADERS)
    assert answer.status_code == 404


async def test_a_control_character_is_refused_in_the_words_of_the_door(
    client: AsyncClient, app: FastAPI
) -> None:
    documented = app.openapi()["paths"]
    words: dict[str, Any] = {
        "/api/{user_id}/tasks": {"detail": "Not Found", "code": "NOT_FOUND"},
        "/users/{user_id}": {"success": False, "message": "Not Found"},
    }
    for path, operations in documented.items():
        if "{" not in path:
            continue
        odd = path.replace("{", "%00{").format_map(dict.fromkeys(_names(path), "x"))
        for method, operation in operations.items():
            answer = await client.request(method, odd)
            assert str(answer.status_code) in operation["responses"], (method, path)
            assert answer.status_code == 404
            assert answer.json() == words.get(path, answer.json())


def _names(path: str) -> list[str]:
    return [part.strip("{}") for part in path.split("/") if "{" in part]


async def test_elsewhere_an_equivalent_spelling_goes_on_working(client: AsyncClient) -> None:
    envelope = {"action": "get-stats", "user_id": "user_123"}
    executed = await client.post("/e%78ecute", json=envelope, headers=SERVICE_HEADERS)
    assert executed.status_code == 200
    for user_id, spelling in (("a~b", "a%7Eb"), ("a~b", "a~b"), ("käse", "k%C3%A4se")):
        answer = await client.get(f"/api/{spelling}/tasks", headers=bearer(user_id))
        assert answer.status_code == 200
    answer = await client.get("/api/t%61sks", headers=acting_for("user_123"))
    assert answer.status_code == 200
