"""Whatever is written side by side: who follows the feed sees it once, and has the tasks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, count, cycle
from typing import Any

import hypothesis
from httpx import AsyncClient
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.conftest import MISSING_ID, SERVICE_HEADERS
from tests.support.application import talking_to
from tests.support.batches import Command, command, create, ref, send_alone, send_batch
from tests.support.properties import explored

EXAMPLES = 150 if hypothesis.settings().max_examples > 100 else 10
EXTRAS = ["tags", "updated_at", "version"]
_AT_FIRST = 2
"""Tasks of a user, before anybody follows."""
numbers = count()

fields = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["Feed cat", "Übung", "💜 \\ \" ' {},"]),
        "description": st.none() | st.just("Salmon"),
        "status": st.sampled_from(["pending", "in_progress", "completed"]),
        "priority": st.none() | st.just("high"),
        "due_date": st.none() | st.just("2030-01-01T00:00:00Z"),
        "tags": st.sampled_from([[], ["a"], ["b,c", '"{}\\']]),
    },
)
some_task = st.integers(0, 4)
deletions = st.booleans().map(lambda permanent: {"permanent": permanent})
Deed = tuple[str, int, Any]
deeds: st.SearchStrategy[Deed] = st.one_of(
    st.tuples(st.just("create-task"), some_task, fields),
    st.tuples(st.just("update-task"), some_task, fields.filter(bool)),
    st.tuples(st.just("delete-task"), some_task, deletions),
    st.tuples(st.just("restore-task"), some_task, st.just({})),
    st.tuples(st.just("undo"), some_task, st.sampled_from(["sequence", "command_id"])),
)
pauses = st.integers(0, 4)
"""Milliseconds."""
several = st.lists(deeds, min_size=2, max_size=4)
requests = st.one_of(
    st.tuples(pauses, st.just("alone"), deeds.map(lambda deed: [deed])),
    st.tuples(pauses, st.sampled_from(["atomic", "independent"]), several),
)
devices = st.lists(requests, min_size=3, max_size=6)
households = st.lists(devices, min_size=2, max_size=3)
"""The devices of one user, which write side by side."""
polls = st.lists(st.tuples(pauses, st.integers(1, 6)), min_size=1, max_size=5)

Request = tuple[int, str, list[Deed]]


@dataclass
class User:
    """What the devices of a user were told, and tell each other."""

    name: str
    tasks: list[str] = field(default_factory=list)
    performed: list[str] = field(default_factory=list)
    batches: list[set[str]] = field(default_factory=list)

    def commands(self, prefix: str, deeds: Sequence[Deed]) -> list[Command]:
        """The deeds, each on a task that was there, or is made by one before."""
        made: list[Command] = []
        for number, (action, which, detail) in enumerate(deeds):
            one = command(f"{prefix}-{number}", action)
            created = [ref(before["id"]) for before in made if before["action"] == "create-task"]
            known = [*self.tasks, *created]
            if action == "create-task":
                one["payload"] = {"title": "Feed cat", **detail}
            elif action == "undo":
                one["payload"] = {detail: self._earlier(detail, which)}
            else:
                task_id = known[which % len(known)] if known else str(MISSING_ID)
                one["payload"] = {"task_id": task_id, **detail}
            made.append(one)
        return made

    def _earlier(self, name: str, back: int) -> object:
        """A change that was made not long ago, or one of the beginning."""
        if name == "sequence":
            return max(_AT_FIRST + len(self.performed) - back, 1)
        known = ["first-0", *self.performed]
        return known[-1 - back % len(known)]

    def note(self, one: Command, data: Any) -> None:
        self.performed.append(one["id"])
        if one["action"] == "create-task":
            self.tasks.append(data["id"])


async def told(client: AsyncClient, user: User, mode: str, commands: list[Command]) -> list[Any]:
    """What the commands returned, None where they were refused."""
    if mode == "alone":
        answer = await send_alone(client, commands[0], user.name)
        results = [{"status": answer.status_code, "data": answer.json().get("data")}]
    else:
        answer = await send_batch(client, *commands, mode=mode, user_id=user.name)
        results = (answer.json().get("data") or {}).get("results", [])
    statuses = {answer.status_code, *(one["status"] for one in results)}
    assert statuses <= {200, 404, 409, 410}, answer.text
    return [one["data"] for one in results] or [None] * len(commands)


async def write(client: AsyncClient, user: User, device: str, requests: list[Request]) -> None:
    """Sends one request after the other; what is refused is not performed."""
    for number, (pause, mode, deeds) in enumerate(requests):
        await asyncio.sleep(pause / 1000)
        commands = user.commands(f"{device}-{number}", deeds)
        returned = await told(client, user, mode, commands)
        if mode == "atomic" and None not in returned:
            user.batches.append({one["id"] for one in commands})
        for one, data in zip(commands, returned, strict=True):
            if data is not None:
                user.note(one, data)


async def ask(client: AsyncClient, user: User, action: str, **payload: Any) -> Any:
    options = {"include": EXTRAS} if action == "list-tasks" else {}
    envelope = {"action": action, "user_id": user.name, "payload": payload, "options": options}
    answer = await client.post("/execute", json=envelope, headers=SERVICE_HEADERS)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def arrived(client: AsyncClient) -> User:
    """Another user, who has tasks already."""
    user = User(f"user-{next(numbers)}")
    for number in range(_AT_FIRST):
        answer = await send_alone(client, create(f"first-{number}"), user.name)
        user.tasks.append(answer.json()["data"]["id"])
    return user


@dataclass
class Follower:
    """What somebody has who follows the feed from a cursor."""

    begun: str
    seen: list[tuple[int, str, str]] = field(default_factory=list)

    async def follow(
        self,
        client: AsyncClient,
        user: User,
        polls: list[tuple[int, int]],
        writing: "asyncio.Future[Any] | None" = None,
    ) -> "Follower":
        """Lists the tasks, and asks now and then until nobody writes and nothing is left."""
        listed = await ask(client, user, "list-tasks")
        self.cursor, self.tasks = self.begun, by_id(listed)
        for pause, limit in cycle(polls):
            await asyncio.sleep(pause / 1000)
            is_last = writing is None or writing.done()
            page = await ask(client, user, "list-changes", cursor=self.cursor, limit=limit)
            self.take(page["changes"])
            self.cursor = page["cursor"]
            if is_last and not page["has_more"]:
                break
        return self

    def take(self, changes: list[dict[str, Any]]) -> None:
        for change in changes:
            self.seen.append((change["sequence"], change["type"], change["command_id"]))
            if change["task"] is None:
                self.tasks.pop(change["task_id"], None)
            else:
                self.tasks[change["task_id"]] = change["task"]


def by_id(listed: dict[str, Any]) -> dict[str, Any]:
    return {task["id"]: task for task in listed["tasks"]}


async def check_user(
    client: AsyncClient, user: User, follower: Follower, polls: list[tuple[int, int]]
) -> None:
    sequences = [sequence for sequence, _, _ in follower.seen]
    assert sequences == list(range(_AT_FIRST + 1, _AT_FIRST + 1 + len(sequences)))
    assert follower.cursor == (await ask(client, user, "list-changes"))["cursor"]
    authors = [command_id for _, _, command_id in follower.seen]
    assert set(authors) == set(user.performed)
    for batch in user.batches:  # nobody's change stands between those of an atomic one
        places = [place for place, author in enumerate(authors) if author in batch]
        assert places == list(range(places[0], places[-1] + 1))
    assert follower.tasks == by_id(await ask(client, user, "list-tasks"))
    late = await Follower(follower.begun).follow(client, user, polls)
    assert (late.seen, late.tasks) == (follower.seen, follower.tasks)


async def test_who_follows_sees_each_change_once_and_has_the_tasks(database_url: str) -> None:
    @given(plan=st.tuples(households, households), polls=polls)
    @settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate])  # races do not shrink
    async def check(plan: Sequence[list[list[Request]]], polls: list[tuple[int, int]]) -> None:
        users = [await arrived(client) for _ in plan]
        begun = [(await ask(client, user, "list-changes"))["cursor"] for user in users]
        writing = asyncio.gather(
            *chain.from_iterable(
                (write(client, user, str(device), requests) for device, requests in enumerate(home))
                for user, home in zip(users, plan, strict=True)
            )
        )
        followers = await asyncio.gather(
            *(
                Follower(cursor).follow(client, user, polls, writing)
                for user, cursor in zip(users, begun, strict=True)
            )
        )
        await writing
        for user, follower in zip(users, followers, strict=True):
            await check_user(client, user, follower, polls)

    async with talking_to(database_url) as client:
        await explored(check)
