"""What endpoints are told, in which order and how often."""

from base64 import b64encode

import pytest
from standardwebhooks import Webhook

from app.database import Database
from app.errors import Conflict
from app.models.task import TaskChanges, TaskFields
from app.models.webhook import EndpointChanges
from app.services import Connection, deletions, tasks, webhook_deliveries, webhook_replays, webhooks
from app.services.log import follow
from app.worker.moods import Moods
from app.worker.webhooks import Webhooks
from tests.support.listener import write_task
from tests.support.receiver import (
    CIPHER,
    TASKS,
    Receiver,
    add_endpoint,
    deliveries,
    rounds,
    told_by_two_workers,
)

pytestmark = pytest.mark.usefixtures("each_log")


async def test_a_deleted_task_is_null_and_a_long_one_is_left_out(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    deleted = await write_task(db)
    await deletions.delete_task(db, deleted, None)
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


async def test_both_secrets_sign_for_a_day(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    endpoint, old = await add_endpoint(db, receiver.url, TASKS)
    new = "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXc="
    await webhooks.rotate_secret(db, endpoint.id, CIPHER.encrypt(new))
    await write_task(db)
    await rounds(worker)
    await db.execute("UPDATE webhook_endpoints SET previous_until = ARRAY[now()]")
    await write_task(db)
    await rounds(worker)
    both, one = receiver.received
    for secret in (old, new):
        assert Webhook(secret).verify(both.body, both.headers)
    assert Webhook(new).verify(one.body, one.headers)
    assert len(one.headers["webhook-signature"].split(" ")) == 1
    worker._cared_at = -3600.0
    await rounds(worker, 1)
    assert await db.fetchval("SELECT previous_secrets FROM webhook_endpoints") == []


async def test_who_repeats_a_rotation_still_signs_with_what_the_receiver_knows(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    endpoint, known = await add_endpoint(db, receiver.url, TASKS)
    for number in range(5):
        new = f"whsec_{b64encode(b'secret-number-%d-of-some-length' % number).decode()}"
        await webhooks.rotate_secret(db, endpoint.id, CIPHER.encrypt(new))
    with pytest.raises(Conflict, match="5 secrets before this one still sign"):
        await webhooks.rotate_secret(db, endpoint.id, CIPHER.encrypt(known))
    await write_task(db)
    await rounds(worker)
    (told,) = receiver.received
    assert Webhook(known).verify(told.body, told.headers)
    assert Webhook(new).verify(told.body, told.headers)
    assert len(told.headers["webhook-signature"].split(" ")) == 6


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
    assert await webhook_replays.ask(db, endpoint.id, endpoint.created_at) == 2
    await rounds(worker)
    assert [one.event["data"]["sequence"] for one in receiver.received] == [1, 1, 2]
    assert receiver.received[0].id == receiver.received[1].id
    assert [row["attempts"] for row in await deliveries(db)] == [2, 1]


async def test_an_attempt_that_ends_after_a_replay_says_nothing_of_it(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    endpoint, _ = await add_endpoint(db, receiver.url, TASKS)
    await write_task(db)
    await worker._feed()
    async with db.transaction():
        _, [before] = await webhook_deliveries.claim(db, {}, 1)
    await webhook_replays.ask(db, endpoint.id, endpoint.created_at)
    await worker._feed()
    async with db.transaction():
        await webhook_deliveries.claim(db, {}, 1)
    await webhook_deliveries.finish(
        db, [webhook_deliveries.Outcome(before, True, None, 200, 1, None)]
    )
    [row] = await deliveries(db)
    assert (row["outcome"], row["claimed_until"] is not None) == (None, True)


async def test_what_is_older_than_thirty_days_goes(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    await add_endpoint(db, receiver.url, TASKS)
    for _ in range(2):
        await write_task(db)
    await rounds(worker)
    old, young = await deliveries(db)
    month_ago = "UPDATE webhook_deliveries SET occurred_at = now() - interval '31 days'"
    await db.execute(f"{month_ago} WHERE position = $1", old["position"])
    assert await webhook_deliveries.purge_old(db) == 1
    assert [row["position"] for row in await deliveries(db)] == [young["position"]]


async def test_two_workers_tell_every_event_once(
    db: Connection, database_url: str, receiver: Receiver
) -> None:
    await told_by_two_workers(db, database_url, receiver)
    sequences: dict[str, list[int]] = {}
    for one in receiver.received:
        data = one.event["data"]
        sequences.setdefault(data["user_id"], []).append(data["sequence"])
    assert all(told == sorted(told) for told in sequences.values())


async def test_what_is_taken_over_later_is_due_later_whichever_transaction_began_first(
    db: Connection, database: Database
) -> None:
    await add_endpoint(db, "https://example.com/hook", TASKS)
    log = await follow(db, webhook_deliveries.TAKING)
    async with database.transaction() as other:
        await other.execute("SELECT 1")
        await write_task(db)
        async with db.transaction():
            assert await log.take(db) == 1
        await write_task(db)
        assert await log.take(other) == 1
    first, second = await deliveries(db)
    assert first["due_at"] < second["due_at"]


async def test_an_idle_round_writes_nothing(db: Connection, worker: Webhooks) -> None:
    await rounds(worker)
    before = await db.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    pauses = [await worker.work() for _ in range(8)]
    assert await Moods(worker._database).work() > 0
    assert await db.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text") == before
    assert pauses[-1] == 1.0


async def test_deliveries_of_a_deleted_endpoint_go(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    deleted, _ = await add_endpoint(db, receiver.url, TASKS)
    kept, _ = await add_endpoint(db, receiver.url, TASKS)
    await write_task(db)
    await rounds(worker)
    await webhooks.delete_endpoint(db, deleted.id)
    await webhook_deliveries.purge_old(db)
    assert [row["endpoint_id"] for row in await deliveries(db)] == [kept.id]
