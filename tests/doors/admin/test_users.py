"""A user as administrators see them, export them and purge them."""

from typing import Any

from httpx import AsyncClient, Response

from tests.conftest import ADMIN_HEADERS, SERVICE_HEADERS, Execute

STRANGE = "../admin/users?x=1#& <b>"


async def ask(client: AsyncClient, method: str, path: str, user_id: str) -> Response:
    params, headers = {"user_id": user_id}, ADMIN_HEADERS
    return await client.request(method, f"/admin/users{path}", params=params, headers=headers)


async def acts(client: AsyncClient) -> list[tuple[str, str, str]]:
    answer = await client.get("/admin/audit", headers=ADMIN_HEADERS)
    return [(one["act"], one["object"], one["administrator"]) for one in answer.json()["acts"]]


async def test_a_card_has_figures_mood_picture_and_the_last_changes_newest_first(
    client: AsyncClient, execute: Execute
) -> None:
    for number in range(22):
        await execute("create-task", title=f"Task {number}", status="completed")
    card = (await ask(client, "GET", "", "user_123")).json()
    params = {"user_id": "user_123"}
    stats = await client.get("/stats", params=params, headers=SERVICE_HEADERS)
    assert card["tasks"] == stats.json()
    assert card["mood"]["mood"]["label"] == "happy"
    assert card["picture"].startswith("<svg")
    assert [one["sequence"] for one in card["changes"]] == list(range(22, 2, -1))
    assert card["changes"][0]["task"]["title"] == "Task 21"


async def test_nobody_has_an_empty_card(client: AsyncClient) -> None:
    card = (await ask(client, "GET", "", STRANGE)).json()
    assert (card["user_id"], card["tasks"]["total_tasks"], card["changes"]) == (STRANGE, 0, [])


async def test_an_administrator_exports_and_purges_whoever_it_is(
    client: AsyncClient, execute: Execute
) -> None:
    await execute("create-task", user_id=STRANGE, title="Buy cat food")
    exported: dict[str, Any] = (await ask(client, "GET", "/export", STRANGE)).json()
    assert (exported["user_id"], exported["tasks"][0]["title"]) == (STRANGE, "Buy cat food")
    purged = (await ask(client, "DELETE", "", STRANGE)).json()
    assert (purged["user_id"], purged["removed"]["tasks"]) == (STRANGE, 1)
    assert (await ask(client, "GET", "/export", STRANGE)).json()["tasks"] == []
    done = [(act, who) for act, subject, who in await acts(client) if subject == f"user/{STRANGE}"]
    assert done == [
        ("user.exported", "admin"),
        ("user.purged", "admin"),
        ("user.exported", "admin"),
    ]


async def test_no_service_key_gets_in(client: AsyncClient) -> None:
    for method, path in (("GET", ""), ("GET", "/export"), ("DELETE", "")):
        answer = await client.request(
            method, f"/admin/users{path}", params={"user_id": "ann"}, headers=SERVICE_HEADERS
        )
        assert answer.status_code == 401
