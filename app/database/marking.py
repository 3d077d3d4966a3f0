"""Marks of each change who has yet to take it over, where no position says so.

Where the log is divided among machines, each gives out numbers of its own, and a transaction
commits on one before it does on another. There a position is the instant of the change with a few
bits of that number, so that whatever goes through the log goes in the order of time.
"""

from collections.abc import Sequence

from app.services import Connection, mirror, webhook_deliveries
from app.services.log import MARKED, is_marked

CONSUMERS = (mirror.NAME, webhook_deliveries.CONSUMER)

# 51 bits of microseconds since 2020, which are enough until 2091, then 6 of a number and 6 of its
# range, which is the node's. Whoever writes to a part of the log by itself brings no number.
_FUNCTION = """
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    number bigint := coalesce(NEW.position, nextval('{sequence}'));
    instant numeric := extract(epoch FROM NEW.changed_at - '2020-01-01Z'::timestamptz);
BEGIN
    NEW.position := ((instant * 1000000)::bigint << 12) | ((number & 63) << 6)
        | ((number >> 48) & 63);
    NEW.untaken := '{{{consumers}}}';
    RETURN NEW;
END
$$
"""
_SEQUENCE = "SELECT pg_get_serial_sequence('changes', 'position')"
_TRIGGER = """
CREATE TRIGGER {name} BEFORE INSERT ON changes FOR EACH ROW EXECUTE FUNCTION {name}()
"""
_INDEX = """
CREATE INDEX IF NOT EXISTS changes_untaken_by_{consumer} ON changes (changed_at, position)
WHERE '{consumer}' = ANY (untaken)
"""
_REACHED = "SELECT position FROM consumers WHERE name = $1"
_MARK = "UPDATE changes SET untaken = array_append(untaken, $1::text) WHERE position > $2"


async def mark(db: Connection, consumers: Sequence[str] = CONSUMERS) -> None:
    """Has changes marked from now on, and marks those that a consumer has not taken over yet.

    In a transaction.
    """
    if await is_marked(db):
        return
    await db.execute("LOCK TABLE consumers, changes IN SHARE ROW EXCLUSIVE MODE")
    for consumer in consumers:
        await db.execute(_MARK, consumer, await db.fetchval(_REACHED, consumer) or 0)
        await db.execute(_INDEX.format(consumer=consumer))
    sequence = await db.fetchval(_SEQUENCE)
    names = ",".join(consumers)
    await db.execute(_FUNCTION.format(name=MARKED, sequence=sequence, consumers=names))
    await db.execute(_TRIGGER.format(name=MARKED))
