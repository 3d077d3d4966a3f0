import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from httpx import AsyncClient, Response

from app.models.key import NewKey
from app.services import Connection, keys
from tests.conftest import SERVICE_HEADERS, Execute, TaskFactory


async def get(client: AsyncClient, path: str = "/mood", **options: str) -> Response:
    known = options.pop("known", None)
    headers = {**SERVICE_HEADERS, **({"If-None-Match": known} if known else {})}
    return await client.get(path, params={"user_id": "user_123", **options}, headers=headers)


async def test_answers_what_the_action_answers(
    client: AsyncClient, execute: Execute, make_task: TaskFactory
) -> None:
    await make_task(status="completed")
    await make_task(due_date="2020-01-01T00:00:00Z")
    bare = (await get(client)).json()
    data = (await execute("get-mood")).json()["data"]
    assert bare["mood"]["label"] == "bored"
    assert {**bare, "computed_at": None} == {**data, "computed_at": None}


async def test_nobody_needs_to_ask_again_before_the_answer_can_change(
    client: AsyncClient, make_task: TaskFactory
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=1.5)
    await make_task(due_date=due.isoformat())
    answer = await get(client)
    assert datetime.fromisoformat(answer.json()["valid_until"]) == due
    assert answer.headers["cache-control"] in ("private, max-age=1", "private, max-age=0")
    assert "X-Service-Key" in answer.headers["vary"]


@pytest.mark.parametrize("path", ["/mood", "/mood.svg"])
async def test_what_has_not_changed_is_304(
    client: AsyncClient, make_task: TaskFactory, path: str
) -> None:
    await make_task()
    first = await get(client, path)
    again = await get(client, path, known=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert re.fullmatch(r"private, max-age=\d+", again.headers["cache-control"])
    await make_task(status="completed")
    changed = await get(client, path, known=first.headers["etag"])
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("path", ["/mood", "/mood.svg"])
@pytest.mark.parametrize("zone", ["Mars/Olympus", "europe/berlin", "UTC+2", "<b>", "../UTC", ""])
async def test_unknown_zone_is_400_naming_the_field(
    client: AsyncClient, path: str, zone: str
) -> None:
    answer = await get(client, path, time_zone=zone)
    message = "must be the IANA name of a time zone"
    assert answer.status_code == 400
    assert answer.json() == {
        "detail": f"time_zone: {message}",
        "code": "invalid_payload",
        "errors": [{"field": "time_zone", "message": message}],
    }


@pytest.mark.parametrize("path", ["/mood", "/mood.svg"])
async def test_without_a_key_is_401_and_without_a_user_422(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 401
    assert (await client.get(path, headers=SERVICE_HEADERS)).status_code == 422


@pytest.mark.parametrize("path", ["/mood", "/mood.svg"])
async def test_key_without_the_scope_is_403(client: AsyncClient, db: Connection, path: str) -> None:
    value = keys.generate("dev", None)
    await keys.insert_key(
        db, NewKey(key_name="tasks-only", environment="dev", scopes=["tasks:read"]), value
    )
    params, headers = {"user_id": "user_123"}, {"X-Service-Key": value}
    answer = await client.get(path, params=params, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (403, "Missing scope: stats:read")


async def test_the_picture_is_well_formed_and_tells_the_week_to_who_cannot_see_it(
    client: AsyncClient, make_task: TaskFactory
) -> None:
    for _ in range(3):
        await make_task(status="completed")
    answer = await get(client, "/mood.svg", time_zone="Pacific/Auckland")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    [policy] = answer.headers.get_list("content-security-policy")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    picture = ET.fromstring(answer.content)  # noqa: S314 - our own
    assert (picture.get("width"), picture.get("height")) == ("320", "120")
    texts = {element.tag.rpartition("}")[2]: element.text or "" for element in picture}
    assert texts["title"] == "Whiskers is happy: 70 of 100. 1 day in a row."
    assert texts["desc"].endswith(" 3.")
    assert re.findall(rb"(?:href|src|url|@import|font-face)", answer.content) == []
