"""Tasks that look like a year of real ones, the same in every run."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

VERSION = 1
"""Raise it when the generated rows change: stored data sets are then made anew."""

COLUMNS = (
    "id",
    "user_id",
    "title",
    "description",
    "status",
    "priority",
    "created_at",
    "updated_at",
    "completed_at",
    "due_date",
)

_VERBS = ("Buy", "Call", "Write to", "Repair", "Plan", "Review", "Clean", "Book", "Pay", "Feed")
_OBJECTS = (
    "the vet",
    "cat food",
    "the quarterly report",
    "the scratching post",
    "Anna and Ömer",
    "the flight to Kyōto",
    "the rent",
    "the garden gate",
    'the "urgent" pile',
    "dinner for six",
)
_SENTENCES = (
    "Salmon flavour, 2 kg bag.",
    "Ask for the price first, and compare it with last year's.",
    "Before noon; they close early on Fridays.\n",
    "See the notes of the last meeting \u2013 item 4 is still open.",
    "The door code is with the neighbours.",
    'Tell them it is for "Whiskers" 🐈.',
    "It took two hours last time, so leave room for it in the afternoon.",
)
_STATUSES = ("pending", "in_progress", "completed", "cancelled")
_STATUS_WEIGHTS = (35, 15, 45, 5)
_PRIORITIES = (None, "low", "medium", "high", "urgent")
_PRIORITY_WEIGHTS = (20, 20, 35, 20, 5)

_PERIOD = timedelta(days=365)


@dataclass(frozen=True)
class Owners:
    """Users who have the same number of tasks."""

    prefix: str
    users: int
    tasks: int

    def names(self) -> list[str]:
        """The ids of these users."""
        return [f"{self.prefix}-{number:05d}" for number in range(self.users)]


Population = tuple[Owners, ...]


def population(rows: int) -> Population:
    """Users of 100 tasks who fill that many rows, and the special ones beside them."""
    return (
        Owners("user", rows // 100, 100),
        Owners("page", 500, 20),
        Owners("thousand", 1, 1_000),
        Owners("myriad", 1, 10_000),
    )


def count(groups: Population) -> int:
    """The rows of a population."""
    return sum(group.users * group.tasks for group in groups)


def tasks(groups: Population) -> Iterator[tuple[object, ...]]:
    """One record per task, in the order of creation: a user's tasks lie far apart, as in life."""
    random = Random(4)  # noqa: S311 - repeatable, not secret
    owners = [name for group in groups for name in group.names() for _ in range(group.tasks)]
    random.shuffle(owners)
    now = datetime.now(UTC)
    step = _PERIOD / len(owners)
    for number, owner in enumerate(owners):
        yield _task(random, owner, now - _PERIOD + step * number, now)


def _task(random: Random, owner: str, created: datetime, now: datetime) -> tuple[object, ...]:
    status = random.choices(_STATUSES, _STATUS_WEIGHTS)[0]
    changed = created + (now - created) * random.random()
    return (
        _time_ordered_id(random, created),
        owner,
        f"{random.choice(_VERBS)} {random.choice(_OBJECTS)}",
        _description(random),
        status,
        random.choices(_PRIORITIES, _PRIORITY_WEIGHTS)[0],
        created,
        changed,
        changed if status == "completed" else None,
        created + timedelta(hours=random.randrange(9000)) if random.random() < 0.5 else None,
    )


def _description(random: Random) -> str | None:
    if random.random() < 0.4:
        return None
    return " ".join(random.choices(_SENTENCES, k=random.randrange(1, 5)))


def _time_ordered_id(random: Random, created: datetime) -> UUID:
    """A UUID of version 7, as the database makes them."""
    milliseconds = int(created.timestamp() * 1000)
    noise = random.getrandbits(74)
    return UUID(
        int=milliseconds << 80 | 7 << 76 | (noise >> 62) << 64 | 2 << 62 | noise & (1 << 62) - 1
    )
