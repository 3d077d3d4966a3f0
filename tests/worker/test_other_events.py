"""What is told of moods, keys and purged users."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.models.change import sequence_of
from app.models.key import KeyRotation, NewKey
from app.models.mood import MoodReport
from app.models.preferences import PreferenceChanges
from app.models.task import TaskChanges, TaskFields
from app.services import Connection, keys, mood, preferences, tasks, told_moods, webhook_events
from app.services.users import purge_user
from app.worker.webhooks import Webhooks
from tests.support.listener import write_task
from tests.support.receiver import Receiver, add_endpoint, rounds

pytestmark = pytest.mark.usefixtures("each_log")


def moods(receiver: Receiver) -> list[tuple[str, str | None, str]]:
    told = [one.event["data"] for one in receiver.received if one.type == "mood.changed"]
    assert all(one["mood"]["label"] == one["to"] for one in told)
    return [(one["user_id"], one["from"], one["to"]) for one in told]


async def test_a_mood_is_told_when_a_write_changes_its_label(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, ["mood.changed"])
    task_id = await write_task(db, user_id="ann")
    await rounds(worker)
    assert moods(receiver) == [("ann", None, "content")]
    await write_task(db, user_id="ann")
    await rounds(worker)
    assert len(moods(receiver)) == 1
    for _ in range(2):
        task_id = await write_task(db, user_id="ann")
        await tasks.update_task(db, task_id, None, TaskChanges(status="completed"))
    for _ in range(2):
        task_id = await write_task(db, user_id="ann")
        await tasks.update_task(db, task_id, None, TaskChanges(status="completed"))
    await rounds(worker, 4)
    assert moods(receiver)[1:] == [("ann", "content", "happy")]


async def test_a_mood_is_told_when_time_changes_it(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, ["mood.changed"])
    due = datetime.now(UTC) + timedelta(hours=1)
    for _ in range(2):
        await tasks.insert_task(db, "ann", TaskFields(title="x", due_date=due))
    await rounds(worker)
    assert moods(receiver) == [("ann", None, "content")]
    looks = await db.fetchval("SELECT due_at FROM user_moods")
    assert looks <= due
    # The hour passes.
    await db.execute("UPDATE tasks SET due_date = now() - interval '1 minute'")
    await rounds(worker)
    assert len(moods(receiver)) == 1
    await db.execute("UPDATE user_moods SET due_at = now()")
    await rounds(worker)
    assert moods(receiver)[1:] == [("ann", "content", "bored")]


async def test_moods_are_told_of_the_users_of_endpoints_that_ask(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, ["task.created"])
    endpoint, _ = await add_endpoint(db, receiver.url, ["mood.changed"], user_ids=["ann"])
    await write_task(db, user_id="bob")
    await rounds(worker)
    assert moods(receiver) == [("ann", None, "content")]
    await db.execute("DELETE FROM webhook_endpoints WHERE id = $1", endpoint.id)
    await db.execute("UPDATE user_moods SET due_at = now()")
    await rounds(worker)
    assert await db.fetchval("SELECT count(*) FROM user_moods") == 0


async def test_what_is_due_is_found_by_an_index(db: Connection) -> None:
    await db.execute("""
        INSERT INTO user_moods (user_id, label, due_at)
        SELECT 'user-' || n, 'content', now() + n * interval '1 second'
        FROM generate_series(1, 20000) AS n
    """)
    await db.execute("ANALYZE user_moods")
    plan = "\n".join(row[0] for row in await db.fetch(f"EXPLAIN {told_moods._DUE}"))
    assert "Index Scan using user_moods_due on user_moods" in plan
    assert "Seq Scan on user_moods" not in plan


async def test_a_mood_that_fails_holds_up_no_other_and_is_looked_at_again(
    db: Connection, worker: Webhooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fetch_mood(db: Connection, user_id: str, *arguments: Any) -> MoodReport:
        if user_id == "ann":
            raise ValueError(user_id)
        return await mood.fetch_mood(db, user_id, *arguments)

    await add_endpoint(db, receiver.url, ["mood.changed"], user_ids=["ann", "bob"])
    monkeypatch.setattr(told_moods, "fetch_mood", fetch_mood)
    for _ in range(3):
        await rounds(worker)
    assert moods(receiver) == [("bob", None, "content")]
    monkeypatch.undo()
    await db.execute("UPDATE user_moods SET due_at = now() WHERE user_id = 'ann'")  # a minute later
    await rounds(worker)
    assert moods(receiver)[1:] == [("ann", None, "content")]


async def test_who_writes_while_a_mood_is_looked_at_waits_for_nobody_and_it_is_looked_at_again(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, ["mood.changed"], user_ids=["ann"])
    due = await told_moods.claim_due_mood(db)
    assert due is not None
    async with db.transaction():
        await db.execute("SET LOCAL lock_timeout = '1s'")
        await preferences.set_preferences(db, "ann", PreferenceChanges(time_zone="Asia/Tokyo"))
    await told_moods.tell_mood(db, due)
    assert await db.fetchval("SELECT count(*) FROM changes WHERE kind = 'mood'") == 0
    await rounds(worker)
    assert moods(receiver) == [("ann", None, "content")]


async def test_no_mood_is_told_behind_a_purge(db: Connection, receiver: Receiver) -> None:
    await add_endpoint(db, receiver.url, ["mood.changed"], user_ids=["ann"])
    due = await told_moods.claim_due_mood(db)
    assert due is not None
    async with db.transaction():
        await purge_user(db, "ann")
    await told_moods.tell_mood(db, due)
    assert await db.fetchval("SELECT count(*) FROM changes WHERE kind = 'mood'") == 0


async def test_a_preference_has_the_mood_looked_at(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, ["mood.changed"], user_ids=["ann"])
    await rounds(worker)
    assert await db.fetchval("SELECT due_at > now() FROM user_moods")
    changes = PreferenceChanges(time_zone="Asia/Tokyo")
    async with db.transaction():
        await preferences.set_preferences(db, "ann", changes)
    assert await db.fetchval("SELECT due_at <= now() FROM user_moods")


async def test_keys_are_told_of_from_their_creation_to_their_end(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, ["*"], user_ids=["nobody"])
    value = keys.generate("prod", None)
    async with db.transaction():
        minted = await keys.insert_key(db, NewKey(key_name="cat-house", environment="prod"), value)
    async with db.transaction():
        await keys.rotate_key(db, KeyRotation(key_name="cat-house"))
    await keys.revoke_key(db, minted.id)
    await keys.revoke_key(db, minted.id)
    await rounds(worker)
    told = [one.event for one in receiver.received if one.type.startswith("key.")]
    assert [one["type"] for one in told] == ["key.created", "key.rotated", "key.revoked"]
    assert told[0]["data"] == {
        "key_id": str(minted.id),
        "key_name": "cat-house",
        "environment": "prod",
        "expires_at": None,
    }
    assert value not in str(told)


async def test_a_key_that_is_about_to_end_is_told_of_once_a_week_and_once_a_day_before(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, ["key.expiring"])
    ends = datetime.now(UTC) + timedelta(days=6)
    new = NewKey(key_name="cat-house", environment="prod", expires_at=ends)
    async with db.transaction():
        await keys.insert_key(db, new, keys.generate("prod", None))
    for _ in range(2):
        await webhook_events.note_expiring_keys(db)
    await db.execute("UPDATE service_api_keys SET expires_at = now() + interval '8 days'")
    await webhook_events.note_expiring_keys(db)
    await db.execute("UPDATE service_api_keys SET expires_at = now() + interval '23 hours'")
    for _ in range(2):
        await webhook_events.note_expiring_keys(db)
    await rounds(worker)
    told = [one.event["data"] for one in receiver.received]
    assert [(one["key_name"], one["days"]) for one in told] == [("cat-house", 7), ("cat-house", 1)]
    assert datetime.fromisoformat(told[0]["expires_at"]) == ends


async def test_a_purged_user_is_told_of_and_nothing_else_of_theirs_any_more(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, ["*"])
    await write_task(db, user_id="ann")
    await worker._feed()
    async with db.transaction():
        await purge_user(db, "ann")
    assert await db.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
    await rounds(worker)
    [told] = receiver.received
    assert told.type == "user.purged"
    data = told.event["data"]
    assert sequence_of(data.pop("cursor"), "ann") == 1
    assert data == {"user_id": "ann", "sequence": 2}
    assert await db.fetchval("SELECT count(*) FROM user_moods") == 0
