"""A purged contact leaves the bucket, whatever the worker had read of it by then."""

from typing import Any

import pytest
from httpx import AsyncClient

from app.database import Database
from app.services import Connection, users
from app.worker.consumer import Consumer
from app.worker.mirror import Mirror
from tests.support.bucket import Bucket
from tests.support.contacts import CALL, USER
from tests.worker.test_mirror import Mirrored, door, execute, mirrored, post

pytestmark = pytest.mark.usefixtures("each_log")

__all__ = ["door", "mirrored"]


async def fill(door: AsyncClient) -> Any:
    user = await post(door, "/users", USER)
    await post(door, "/calls", {**CALL, "user_id": user["id"]})
    await post(door, "/tasks", {"title": "Follow up", "user_id": user["id"]})
    return user


async def purge(db: Connection, user_id: str) -> None:
    async with db.transaction():
        await users.purge_user(db, user_id)


async def test_objects_of_a_purged_contact_go_and_others_stay(
    door: AsyncClient, db: Connection, mirrored: Mirrored
) -> None:
    gone, kept = await fill(door), await fill(door)
    assert len(await mirrored()) == 6
    await purge(db, gone["id"])
    left = await mirrored()
    assert len(left) == 3
    assert f"users/{kept['id']}.json" in left
    assert await db.fetchval("SELECT count(*) FROM deliveries WHERE changed_at IS NOT NULL") == 0


async def test_what_the_worker_had_not_read_yet_holds_up_nothing(
    door: AsyncClient, db: Connection, mirrored: Mirrored
) -> None:
    gone = await fill(door)
    assert len(await mirrored()) == 3
    # The worker is away: a task is deleted, another made, the contact purged, a new one comes.
    task = await post(door, "/tasks", {"title": "Call back", "user_id": gone["id"]})
    await execute(door, "delete-task", gone["id"], task_id=task["id"])
    await purge(db, gone["id"])
    kept = await post(door, "/users", USER)
    assert await mirrored() == {f"users/{kept['id']}.json": kept}
    last = await db.fetchval("SELECT max(position) FROM changes")
    assert await db.fetchval("SELECT position FROM consumers") == last


async def test_task_deleted_before_the_purge_and_not_yet_told_leaves_the_bucket_too(
    door: AsyncClient, db: Connection, mirrored: Mirrored
) -> None:
    gone = await fill(door)
    task_id = await db.fetchval("SELECT id::text FROM tasks")
    assert f"tasks/{task_id}.json" in await mirrored()
    await execute(door, "delete-task", gone["id"], task_id=task_id)
    await purge(db, gone["id"])
    assert await mirrored() == {}


async def test_object_being_written_as_the_contact_is_purged_goes_too(
    door: AsyncClient,
    db: Connection,
    database: Database,
    bucket: Bucket,
    mirrored: Mirrored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = await fill(door)
    deliver = Mirror.deliver
    purged = False

    async def purge_in_between(self: Mirror, other: Connection, claimed: Any) -> Any:
        nonlocal purged
        failed = await deliver(self, other, claimed)
        if claimed and not purged:
            purged = True
            await purge(db, gone["id"])
        return failed

    monkeypatch.setattr(Mirror, "deliver", purge_in_between)
    for _ in range(3):
        await Consumer(Mirror(bucket.store()), database).work()
    assert await mirrored() == {}
