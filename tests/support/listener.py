"""A sink that remembers what it was told."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.models.task import TaskFields
from app.services import Connection, tasks
from app.services.deliveries import Delivery
from app.worker.consumer import Consumer

LISTENERS = ("listener", "one", "other")


class Listener:
    """A sink that remembers what it was told; it reads the version of tasks as they are."""

    def __init__(self, name: str = LISTENERS[0], interest: str = "true") -> None:
        self.name = name
        self.interest = interest
        self.told: list[Delivery] = []
        self.versions: dict[UUID, list[int | None]] = defaultdict(list)
        self.refuses: set[UUID] = set()
        self.is_away = False
        self.slowness = 0.0

    async def deliver(
        self, db: Connection, claimed: Sequence[Delivery]
    ) -> Mapping[UUID, BaseException]:
        wanted = [one.entity_id for one in claimed]
        rows = await db.fetch("SELECT id, version FROM tasks WHERE id = ANY ($1)", wanted)
        await asyncio.sleep(random.uniform(self.slowness / 2, self.slowness))
        failed = wanted if self.is_away else self.refuses.intersection(wanted)
        versions = dict(map(tuple, rows))
        for one in claimed:
            if one.entity_id not in failed:
                self.told.append(one)
                self.versions[one.entity_id].append(versions.get(one.entity_id))
        return {entity_id: ConnectionError("away") for entity_id in failed}

    def counted(self) -> Counter[UUID]:
        return Counter(one.entity_id for one in self.told)


async def rounds(*consumers: Consumer, count: int = 1) -> None:
    for _ in range(count):
        for consumer in consumers:
            await consumer.work()


async def write_task(db: Connection, title: str = "x", user_id: str = "user_123") -> UUID:
    return (await tasks.insert_task(db, user_id, TaskFields(title=title))).id


async def waiting(db: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.fetch("SELECT * FROM deliveries ORDER BY last_position")]
