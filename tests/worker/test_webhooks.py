"""What endpoints are told, in which order and how often, whatever they answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from app.config import Settings
from app.database import Database
from app.models.change import sequence_of
from app.models.task import TaskChanges, TaskFields
from app.models.webhook import EndpointChanges
from app.services import Connection, feed, tasks, webhook_deliveries, webhooks
from app.worker.webhooks import Webhooks, wait_after
from tests.support.listener import write_task
from tests.support.receiver import (
    CIPHER,
    TASKS,
    Dribbling,
    Receiver,
    add_endpoint,
    answered,
    open_sender,
    receiving,
    rounds,
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def worker(database: Database) -> AsyncIterator[Webhooks]:
    sender = open_sender()
    yield Webhooks(database, sender)
    await sender.close()


async def deliveries(db: Connection) -> list[dict[str, Any]]:
    return [
        dict(row) for row in await db.fetch("SELECT * FROM webhook_deliveries ORDER BY position")
    ]


async def due_now(db: Connection) -> None:
    await db.execute(
        "UPDATE webhook_deliveries SET due_at = now() - interval '1 s' WHERE due_at IS NOT NULL"
    )


async def test_an_event_is_signed_and_is_the_change_as_in_the_feed(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    _, secret = await add_endpoint(db, receiver.url, ["task.created"])
    await write_task(db, "Feed cat")
    await rounds(worker)
    [told] = receiver.received
    event = Webhook(secret).verify(told.body, told.headers)
    [change] = await feed.fetch_changes(db, "user_123", 0, 10)
    data = event["data"]
    assert event["type"] == "task.created"
    assert event["timestamp"] == data["occurred_at"]
    assert sequence_of(data.pop("cursor"), "user_123") == change.sequence - 1
    assert data.pop("user_id") == "user_123"
    assert data == change.model_dump(mode="json")
    [row] = await deliveries(db)
    assert (row["outcome"], row["attempts"], row["status"], row["due_at"]) == (
        *("delivered", 1, 204),
        None,
    )


async def test_a_deleted_task_is_null_and_a_long_one_is_left_out(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    deleted = await write_task(db)
    await tasks.delete_task(db, deleted, None)
    long = await tasks.insert_task(
        db, "user_123", TaskFields(title="Long", description="\N{CAT}" * 9000)
    )
    await rounds(worker)
    events = {one.type + one.event["data"]["task_id"]: one for one in receiver.received}
    assert events[f"task.deleted{deleted}"].event["data"]["task"] is None
    told = events[f"task.created{long.id}"]
    assert len(told.body) < 20_000
    assert told.event["data"]["truncated"] is True
    assert {"task", "before"}.isdisjoint(told.event["data"])


async def test_an_endpoint_is_told_of_its_events_and_users_alone(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await write_task(db, user_id="ann")  # before there is an endpoint
    await add_endpoint(db, receiver.url, ["task.completed"], user_ids=["ann"])
    for user_id in ("ann", "bob"):
        task_id = await write_task(db, user_id=user_id)
        await tasks.update_task(db, task_id, None, TaskChanges(status="completed"))
    await rounds(worker)
    told = [(one.type, one.event["data"]["user_id"]) for one in receiver.received]
    assert told == [("task.completed", "ann")]


async def test_a_users_events_arrive_in_their_order_over_kept_connections(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    for number in range(60):
        await write_task(db, user_id=f"user-{number % 3}")
    for _ in range(12):
        await rounds(worker, 1)
    seen: dict[str, list[int]] = {}
    for one in receiver.received:
        data = one.event["data"]
        seen.setdefault(data["user_id"], []).append(data["sequence"])
    assert seen == {f"user-{n}": list(range(1, 21)) for n in range(3)}
    assert receiver.connections <= 3


async def test_what_fails_is_tried_again_under_the_same_id_and_holds_up_no_other(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    receiver.answer = lambda one: answered(500 if one.event["data"]["sequence"] == 1 else 200)
    for _ in range(2):
        await write_task(db)
    await rounds(worker)
    assert [one.event["data"]["sequence"] for one in receiver.received] == [1, 2]
    failed, delivered = await deliveries(db)
    assert (failed["outcome"], failed["status"], failed["error"]) == ("failed", 500, "answered 500")
    assert delivered["outcome"] == "delivered"
    receiver.answer = lambda _: answered(202)
    await due_now(db)
    await rounds(worker)
    first, _, again = receiver.received
    assert (again.id, again.body) == (first.id, first.body)
    assert [row["outcome"] for row in await deliveries(db)] == ["delivered", "delivered"]


async def test_attempts_are_spread_over_three_days_and_end() -> None:
    waits = [wait_after(number, None) for number in range(1, 11)]
    planned = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    for wait, least in zip(waits[:-1], planned, strict=True):
        assert wait is not None
        assert least <= wait <= 1.1 * least
    assert waits[-1] is None
    assert wait_after(1, 120.0) == 120.0
    assert wait_after(1, 1e9) == 86400


async def test_retry_after_is_honoured_in_seconds_and_as_a_date(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    headers = ["retry-after: 1000\r\n", "retry-after: Fri, 01 Jan 2100 00:00:00 GMT\r\n"]
    receiver.answer = lambda _: answered(503, headers.pop())
    for _ in range(2):
        await write_task(db)
    await rounds(worker)
    rows = await db.fetch(
        "SELECT extract(epoch FROM due_at - attempted_at)::int AS wait FROM webhook_deliveries"
    )
    assert sorted(row["wait"] for row in rows) == [1000, 86400]


async def test_gone_disables_at_once_and_enabling_starts_again(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    endpoint, _ = await add_endpoint(db, receiver.url, TASKS)
    receiver.answer = lambda _: answered(410)
    await write_task(db)
    await rounds(worker)
    found = await webhooks.fetch_endpoint(db, endpoint.id)
    assert (found.enabled, found.disabled_reason) == (False, "it answered 410 Gone")
    receiver.answer = lambda _: answered(200)
    await due_now(db)
    await rounds(worker)
    assert len(receiver.received) == 1
    await webhooks.change_endpoint(db, endpoint.id, EndpointChanges(enabled=True))
    await rounds(worker)
    assert receiver.received[0].id == receiver.received[1].id


async def test_five_days_of_failures_disable_and_a_success_begins_them_anew(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    endpoint, _ = await add_endpoint(db, receiver.url, TASKS)
    longer = "UPDATE webhook_endpoints SET failing_since = failing_since - interval '5 days'"
    receiver.answer = lambda _: answered(500)
    await write_task(db)
    await rounds(worker)
    assert (await webhooks.fetch_endpoint(db, endpoint.id)).failing_since is not None
    receiver.answer = lambda _: answered(200)
    await write_task(db)
    await rounds(worker)
    assert (await webhooks.fetch_endpoint(db, endpoint.id)).failing_since is None
    receiver.answer = lambda _: answered(500)
    for _ in range(2):
        await write_task(db)
        await rounds(worker)
        await db.execute(longer)
    found = await webhooks.fetch_endpoint(db, endpoint.id)
    assert (found.enabled, found.disabled_reason) == (False, "it failed for five days")


async def test_both_secrets_sign_for_a_day(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    endpoint, old = await add_endpoint(db, receiver.url, TASKS)
    new = "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXc="
    await webhooks.rotate_secret(db, endpoint.id, CIPHER.encrypt(new))
    await write_task(db)
    await rounds(worker)
    await db.execute("UPDATE webhook_endpoints SET previous_until = now()")
    await write_task(db)
    await rounds(worker)
    both, one = receiver.received
    for secret in (old, new):
        assert Webhook(secret).verify(both.body, both.headers)
    assert Webhook(new).verify(one.body, one.headers)
    assert len(one.headers["webhook-signature"].split(" ")) == 1


async def test_a_replay_sends_the_same_again_and_what_was_not_told_while_disabled(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    endpoint, _ = await add_endpoint(db, receiver.url, TASKS)
    await write_task(db)
    await rounds(worker)
    await webhooks.change_endpoint(db, endpoint.id, EndpointChanges(enabled=False))
    await write_task(db)
    await rounds(worker)
    await webhooks.change_endpoint(db, endpoint.id, EndpointChanges(enabled=True))
    assert len(receiver.received) == 1
    assert await webhook_deliveries.replay(db, endpoint.id, endpoint.created_at) == 2
    await rounds(worker)
    assert [one.event["data"]["sequence"] for one in receiver.received] == [1, 1, 2]
    assert receiver.received[0].id == receiver.received[1].id


async def test_a_lost_workers_event_is_sent_again_in_its_order(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    for _ in range(3):
        await write_task(db)
    await worker._feed()
    async with worker._database.transaction() as lost:
        await webhook_deliveries.claim(lost, {}, 1)
    await rounds(worker)
    assert receiver.received == []  # the first is under way, for all that anybody knows
    await db.execute("UPDATE webhook_deliveries SET claimed_until = now() - interval '1 s'")
    await rounds(worker)
    assert [one.event["data"]["sequence"] for one in receiver.received] == [1, 2, 3]


async def test_endpoints_that_hang_dribble_or_fail_hold_up_no_other(
    db: Connection, worker: Webhooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.worker.sender.SECONDS", 1.0)
    misbehaviours = [30.0, Dribbling(30), answered(500)]
    async with receiving() as bad:
        bad.answer = lambda one: misbehaviours[one.event["data"]["sequence"] % 3]
        for _ in range(5):
            await add_endpoint(db, bad.url, TASKS)
        for _ in range(15):
            await add_endpoint(db, receiver.url, TASKS)
        for number in range(20):
            await write_task(db, user_id=f"user-{number % 5}")
        stopping = asyncio.Event()
        running = asyncio.create_task(worker.run(stopping))
        async with asyncio.timeout(20):
            while len(receiver.received) < 300:
                await asyncio.sleep(0.05)
        stopping.set()
        await running
    lags = await db.fetchval("""
        SELECT max(attempted_at - occurred_at) FROM webhook_deliveries WHERE outcome = 'delivered'
    """)
    assert lags.total_seconds() < 5
    assert len({(one.id) for one in receiver.received}) == 20


async def test_a_long_answer_is_not_read_to_its_end(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    receiver.answer = lambda _: answered(200, body="x" * 3_000_000)
    await write_task(db)
    await rounds(worker)
    assert [row["outcome"] for row in await deliveries(db)] == ["delivered"]


async def test_a_redirect_is_a_failure_and_is_not_followed(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    receiver.answer = lambda _: answered(307, f"location: {receiver.url}/elsewhere\r\n")
    await write_task(db)
    await rounds(worker)
    assert len(receiver.received) == 1
    assert [row["status"] for row in await deliveries(db)] == [307]


async def test_a_purged_change_is_forgotten_and_holds_nothing_up(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    await write_task(db, user_id="purged")
    await worker._feed()
    await db.execute("DELETE FROM changes WHERE user_id = 'purged'")
    await write_task(db, user_id="other")
    await rounds(worker)
    assert [one.event["data"]["user_id"] for one in receiver.received] == ["other"]
    assert [row["user_id"] for row in await deliveries(db)] == ["other"]


async def test_what_is_older_than_thirty_days_goes(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    for _ in range(2):
        await write_task(db)
    await rounds(worker)
    await db.execute(
        "UPDATE webhook_deliveries SET occurred_at = now() - interval '31 days' WHERE position = 1"
    )
    assert await webhook_deliveries.purge_old(db) == 1
    assert [row["position"] for row in await deliveries(db)] == [2]


async def test_two_workers_tell_every_event_once(
    db: Connection, database_url: str, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    opened = [Database(Settings(database_url=database_url)) for _ in range(2)]
    stopping = asyncio.Event()
    sender = open_sender()
    for database in opened:
        await database.open()
    workers = [asyncio.create_task(Webhooks(each, sender).run(stopping)) for each in opened]
    for number in range(100):
        await write_task(db, user_id=f"user-{number % 7}")
    async with asyncio.timeout(20):
        while len(receiver.received) < 100:
            await asyncio.sleep(0.05)
    stopping.set()
    await asyncio.gather(*workers)
    await sender.close()
    for database in opened:
        await database.close()
    assert len({one.id for one in receiver.received}) == len(receiver.received) == 100
    sequences: dict[str, list[int]] = {}
    for one in receiver.received:
        data = one.event["data"]
        sequences.setdefault(data["user_id"], []).append(data["sequence"])
    assert all(told == sorted(told) for told in sequences.values())


async def test_an_idle_round_writes_nothing(db: Connection, worker: Webhooks) -> None:
    await rounds(worker)
    before = await db.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    pauses = [await worker.work() for _ in range(8)]
    assert await db.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text") == before
    assert pauses[-1] == 1.0
