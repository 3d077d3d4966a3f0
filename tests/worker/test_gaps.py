"""A log of one machine is followed in its order, whichever transaction commits first."""

import asyncio

import asyncpg
import pytest

from app.database import Database
from app.services import Connection
from app.worker.consumer import Consumer
from tests.support.listener import Listener, rounds, write_task


@pytest.mark.parametrize("outcome", ["commit", "rollback"])
async def test_a_change_whose_transaction_runs_longer_is_neither_lost_nor_waited_for_in_vain(
    db: Connection, database: Database, database_url: str, outcome: str
) -> None:
    sink = Listener()
    consumer = Consumer(sink, database)
    slow = await asyncpg.connect(database_url)
    transaction = slow.transaction()
    await transaction.start()
    early = await write_task(slow, user_id="slow")
    late = [await write_task(db) for _ in range(3)]
    await rounds(consumer, count=5)
    assert sink.told == []
    await getattr(transaction, outcome)()
    await rounds(consumer, count=3)
    expected = [early, *late] if outcome == "commit" else late
    assert [one.entity_id for one in sink.told] == expected
    await slow.close()


async def test_a_position_taken_late_in_an_old_transaction_is_not_passed_over(
    db: Connection, database: Database, database_url: str
) -> None:
    """The younger transaction takes the lower position and commits after the older one."""
    old, young = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    transactions = [old.transaction(), young.transaction()]
    for transaction in transactions:
        await transaction.start()
    await old.execute("SELECT pg_current_xact_id()")
    low = await write_task(young, user_id="young")
    high = await write_task(old, user_id="old")
    await transactions[0].commit()
    sink = Listener()
    consumer = Consumer(sink, database)
    await rounds(consumer, count=3)
    assert sink.told == []
    await transactions[1].commit()
    await rounds(consumer, count=3)
    assert sink.counted() == {low: 1, high: 1}
    await asyncio.gather(old.close(), young.close())
