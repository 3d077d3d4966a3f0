"""The bucket shows what the door of contacts shows, as it shows it."""

import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import obstore
import pytest
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr

from app.cli.worker import drop_empty_variables
from app.config import Settings
from app.database import Database
from app.main import create_app
from app.worker.consumer import Consumer
from app.worker.mirror import Mirror, open_bucket
from tests.conftest import SERVICE_HEADERS
from tests.support.bucket import Bucket
from tests.support.contacts import CALL, HEADERS, KEY, USER

Mirrored = Callable[[], Awaitable[dict[str, Any]]]


@pytest.fixture
async def door(database_url: str, bucket: Bucket) -> AsyncIterator[AsyncClient]:
    app = create_app(bucket.settings(database_url, task_api_key=SecretStr(KEY)))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://test", headers=HEADERS) as door,
    ):
        yield door


@pytest.fixture
async def mirrored(database_url: str, bucket: Bucket) -> AsyncIterator[Mirrored]:
    """Lets a worker do its rounds and returns what is in the bucket then."""
    database = Database(bucket.settings(database_url))
    await database.open()
    consumer = Consumer(Mirror(bucket.store()), database)

    async def mirrored() -> dict[str, Any]:
        for _ in range(3):
            await consumer.work()
        return bucket.objects()

    yield mirrored
    await database.close()


async def post(door: AsyncClient, path: str, body: object) -> Any:
    answer = await door.post(path, json=body)
    assert answer.status_code == 201
    return answer.json()


async def execute(door: AsyncClient, action: str, user_id: str, **payload: Any) -> Any:
    command = {"action": action, "user_id": user_id, "payload": payload}
    answer = await door.post("/execute", json=command, headers=SERVICE_HEADERS)
    assert answer.status_code == 200
    return answer.json()["data"]


async def test_everything_is_mirrored_as_the_door_shows_it(
    door: AsyncClient, mirrored: Mirrored
) -> None:
    user = await post(door, "/users", USER)
    call = await post(door, "/calls", {**CALL, "user_id": user["id"]})
    task = await post(door, "/tasks", {"title": "Follow up", "user_id": user["id"]})
    nobodys = await post(door, "/tasks", {"title": "Feed the office cat"})
    assert await mirrored() == {
        f"users/{user['id']}.json": user,
        f"calls/{call['id']}.json": call,
        f"tasks/{task['id']}.json": task,
        f"tasks/{nobodys['id']}.json": nobodys,
    }


async def test_a_change_is_mirrored_too(door: AsyncClient, mirrored: Mirrored) -> None:
    user = await post(door, "/users", USER)
    call = await post(door, "/calls", {**CALL, "user_id": user["id"]})
    task = await post(door, "/tasks", {"title": "Follow up"})
    await mirrored()
    changed = [
        (await door.patch(f"/calls/{call['id']}/status?new_status=completed")).json(),
        (await door.patch(f"/tasks/{task['id']}/status?new_status=cancelled")).json(),
    ]
    objects = await mirrored()
    assert [objects[f"calls/{call['id']}.json"], objects[f"tasks/{task['id']}.json"]] == changed


async def test_a_task_written_through_another_door_is_mirrored_and_its_deletion_too(
    door: AsyncClient, mirrored: Mirrored
) -> None:
    user = await post(door, "/users", USER)
    task = await execute(door, "create-task", user["id"], title="x" * 500, priority="urgent")
    shown = (await door.get(f"/tasks/{task['id']}")).json()
    assert (await mirrored())[f"tasks/{task['id']}.json"] == shown
    await execute(door, "delete-task", user["id"], task_id=task["id"])
    assert list(await mirrored()) == [f"users/{user['id']}.json"]


async def test_a_task_that_is_softly_deleted_is_removed(
    door: AsyncClient, mirrored: Mirrored, database_url: str
) -> None:
    task = await post(door, "/tasks", {"title": "Follow up"})
    assert len(await mirrored()) == 1
    db = await asyncpg.connect(database_url)
    await db.execute("UPDATE tasks SET deleted_at = now()")
    await db.execute(
        "INSERT INTO changes (kind, operation, user_id, entity_id, sequence, fields) "
        "VALUES ('task', 'deleted', '', $1, 2, '{}')",
        task["id"],
    )
    await db.close()
    assert await mirrored() == {}


async def test_tasks_of_other_users_are_never_in_the_bucket(
    door: AsyncClient, mirrored: Mirrored
) -> None:
    for user_id in ("user_123", str(uuid4())):
        task = await execute(door, "create-task", user_id, title="Private")
        await execute(door, "update-task", user_id, task_id=task["id"], status="completed")
    assert await mirrored() == {}


async def test_objects_are_json(door: AsyncClient, mirrored: Mirrored, bucket: Bucket) -> None:
    user = await post(door, "/users", USER)
    await mirrored()
    found = obstore.get(bucket.store(), f"users/{user['id']}.json")
    assert found.attributes["Content-Type"] == "application/json"
    assert "María" in bytes(found.bytes()).decode()


class Role(BaseHTTPRequestHandler):
    """Where a task asks for the credentials of its role, and an S3 that notes who asks."""

    asked: list[str] = []

    def do_GET(self) -> None:
        credentials = {"AccessKeyId": "ROLE", "SecretAccessKey": "secret", "Token": "token"}
        self._answer({**credentials, "Expiration": "2099-01-01T00:00:00Z"})

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(self.headers["Authorization"])
        self._answer({})

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("ETag", '"tag"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


async def test_without_keys_the_bucket_is_opened_by_the_role_of_the_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("token")
    with ThreadingHTTPServer(("127.0.0.1", 0), Role) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", f"{tmp_path}/token")
        settings = Settings(
            database_url="postgresql://unused", aws_s3_bucket="bucket", aws_endpoint_url=url
        )
        drop_empty_variables()
        await obstore.put_async(open_bucket(settings), "users/1.json", b"{}", use_multipart=False)
        server.shutdown()
    assert "Credential=ROLE/" in Role.asked[-1]


@pytest.mark.parametrize("with_bucket", [True, False])
async def test_a_door_without_a_bucket_says_once_that_the_mirror_is_off(
    database_url: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, with_bucket: bool
) -> None:
    said: list[str] = []
    monkeypatch.setattr("app.main.logger.info", lambda event, **_: said.append(event))
    settings = bucket.settings(database_url, task_api_key=SecretStr(KEY))
    if not with_bucket:
        settings = settings.model_copy(update={"aws_s3_bucket": None})
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        pass
    assert said.count("mirror_is_off") == (not with_bucket)
