"""What becomes of events whose endpoint fails, or whose worker does."""

import asyncio

import pytest
from prometheus_client import REGISTRY
from standardwebhooks import Webhook

from app.errors import Unavailable
from app.models.change import sequence_of
from app.models.webhook import EndpointChanges
from app.services import Connection, feed, webhook_deliveries, webhooks
from app.worker.sender import MOST_IN_FLIGHT
from app.worker.webhooks import Webhooks, wait_after
from tests.support.listener import write_task
from tests.support.receiver import (
    TASKS,
    Dribbling,
    Receiver,
    add_endpoint,
    answered,
    deliveries,
    due_now,
    receiving,
    rounds,
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
    said = ["Retry-After: 1000", "retry-after: Fri, 01 Jan 2100 00:00:00 GMT", "RETRY-AFTER: 900"]
    receiver.answer = lambda _: answered(503, f"{said.pop()}\r\n")
    for _ in range(3):
        await write_task(db)
    await rounds(worker)
    rows = await db.fetch(
        "SELECT extract(epoch FROM due_at - attempted_at)::int AS wait FROM webhook_deliveries"
    )
    assert sorted(row["wait"] for row in rows) == [900, 1000, 86400]


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


async def test_figures_tell_of_attempts_of_what_waits_and_of_what_is_disabled(
    db: Connection, worker: Webhooks, receiver: Receiver
) -> None:
    def figure(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"task_manager_webhook{name}", labels) or 0.0

    def attempts() -> list[float]:
        outcomes = ("delivered", "failed")
        told = [figure("_attempts_total", outcome=outcome) for outcome in outcomes]
        return [*told, figure("_lag_seconds_count")]

    before = attempts()
    endpoint, _ = await add_endpoint(db, receiver.url, TASKS)
    receiver.answer = lambda one: answered(500 if one.event["data"]["sequence"] == 1 else 200)
    for _ in range(2):
        await write_task(db)
    await rounds(worker)
    await db.execute("UPDATE webhook_deliveries SET due_at = due_at - interval '1 hour'")
    worker._cared_at = -3600.0
    await worker._care()
    assert [now - then for now, then in zip(attempts(), before, strict=True)] == [1, 1, 2]
    assert 3500 < figure("_overdue_seconds") < 3700
    await webhooks.change_endpoint(db, endpoint.id, EndpointChanges(enabled=False))
    worker._cared_at = -3600.0
    await worker._care()
    assert (figure("_overdue_seconds"), figure("s_disabled")) == (0, 1)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE webhook_endpoints SET disabled_at = now()", "DELETE FROM webhook_endpoints"],
)
async def test_an_endpoint_that_ends_is_told_nothing_more_of_what_was_claimed(
    db: Connection, worker: Webhooks, receiver: Receiver, statement: str
) -> None:
    endpoint, _ = await add_endpoint(db, receiver.url, TASKS)
    turns = worker._turns[endpoint.id]
    for _ in range(MOST_IN_FLIGHT):
        await turns.acquire()
    await write_task(db)
    await worker.work()
    await db.execute(statement)
    await worker.work()
    for _ in range(MOST_IN_FLIGHT):
        turns.release()
    await worker.settle()
    assert receiver.received == []
    [row] = await deliveries(db)
    assert (row["attempts"], row["claimed_until"], row["due_at"] is None) == (0, None, False)


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


async def test_what_was_claimed_as_the_database_went_away_is_sent_in_the_next_round(
    db: Connection, worker: Webhooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable

    await add_endpoint(db, receiver.url, TASKS)
    await write_task(db)
    with monkeypatch.context() as patch:
        patch.setattr("app.services.webhook_events.fetch_bodies", away)
        await rounds(worker, 1)
    assert receiver.received == []
    await rounds(worker, 1)
    assert [one.event["data"]["sequence"] for one in receiver.received] == [1]
    assert [row["attempts"] for row in await deliveries(db)] == [1]


_ENDED = "SELECT count(*) FROM webhook_deliveries WHERE outcome = 'delivered'"
_GIVEN_UP = """
SELECT count(*) FROM webhook_deliveries WHERE attempted_at IS NOT NULL AND status IS NULL
"""


async def test_endpoints_that_hang_dribble_or_fail_hold_up_no_other(
    db: Connection, worker: Webhooks, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.worker.sender.SECONDS", 300.0)
    misbehaviours: list[bytes | float] = [300.0, Dribbling(300), answered(500)]
    async with receiving() as bad:
        bad.answer = lambda one: misbehaviours[int(one.event["data"]["user_id"]) % 3]
        for _ in range(5):
            await add_endpoint(db, bad.url, TASKS)
        for _ in range(15):
            await add_endpoint(db, receiver.url, TASKS)
        for number in range(20):
            await write_task(db, user_id=f"{number % 5}")
        stopping = asyncio.Event()
        running = asyncio.create_task(worker.run(stopping))
        async with asyncio.timeout(60):
            while await db.fetchval(_ENDED) < 300 or len(bad.received) < 40:
                await asyncio.sleep(0.05)
        assert await db.fetchval(_GIVEN_UP) == 0  # what hangs does so still
        stopping.set()
    await running
    assert len(receiver.received) == 300
    assert len({one.id for one in receiver.received}) == 20


@pytest.mark.parametrize("misbehaviour", [30.0, Dribbling(30)])
async def test_an_answer_that_does_not_end_in_time_is_given_up(
    db: Connection,
    worker: Webhooks,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    misbehaviour: float,
) -> None:
    monkeypatch.setattr("app.worker.sender.SECONDS", 0.5)
    await add_endpoint(db, receiver.url, TASKS)
    receiver.answer = lambda _: misbehaviour
    await write_task(db)
    async with asyncio.timeout(25):
        await rounds(worker)
    [row] = await deliveries(db)
    assert (row["outcome"], row["status"], row["attempts"]) == ("failed", None, 1)
    assert row["error"].startswith("no answer within")


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
