"""Whatever two people do, by whichever route and credential, each reaches only their own tasks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from httpx import AsyncClient, Response
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.services import Connection
from tests.support.people import Headers, acting_for, start_session

Route = Callable[[AsyncClient, str, Headers], Awaitable[Response]]

ROUTES: dict[str, Route] = {
    "get": lambda client, path, headers: client.get(path, headers=headers),
    "rename": lambda client, path, headers: client.patch(
        path, json={"title": "Mine", "tags": ["mine"]}, headers=headers
    ),
    "complete": lambda client, path, headers: client.patch(
        f"{path}/complete", json={"completed": True}, headers=headers
    ),
    "finish": lambda client, path, headers: client.patch(
        path, json={"status": "COMPLETED"}, headers=headers
    ),
    "toggle": lambda client, path, headers: client.patch(f"{path}/complete", headers=headers),
    "delete": lambda client, path, headers: client.delete(path, headers=headers),
}
_ROW = "SELECT * FROM tasks WHERE id = $1"
steps = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob"]),
        st.sampled_from(sorted(ROUTES)),
        st.sampled_from(["ann", "bob"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@dataclass
class Person:
    """Somebody with a task, whom a service may act for."""

    user_id: str
    session: Headers
    task_id: str

    def headers(self, by_service: bool) -> Headers:
        return acting_for(self.user_id) if by_service else self.session


async def arrive(client: AsyncClient, db: Connection) -> Person:
    user_id = uuid4().hex
    session = await start_session(db, user_id)
    answer = await client.post("/api/tasks", json={"title": "Feed cat"}, headers=session)
    return Person(user_id, session, answer.json()["id"])


@given(steps=steps)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_nobody_sees_changes_completes_or_deletes_anothers_task(
    client: AsyncClient, db: Connection, steps: list[tuple[str, str, str, bool]]
) -> None:
    people = {name: await arrive(client, db) for name in ("ann", "bob")}
    deleted: set[str] = set()
    for actor, route, owner, by_service in steps:
        person, task_id = people[actor], people[owner].task_id
        before: Any = await db.fetchrow(_ROW, UUID(task_id))
        path, headers = f"/api/tasks/{task_id}", person.headers(by_service)
        answer = await ROUTES[route](client, path, headers)
        permitted = actor == owner and owner not in deleted
        assert answer.status_code == ((204 if route == "delete" else 200) if permitted else 404)
        if not permitted:
            assert await db.fetchrow(_ROW, UUID(task_id)) == before
        elif route == "delete":
            deleted.add(owner)
        listed = (await client.get("/api/tasks", headers=headers)).json()
        mine = set() if actor in deleted else {person.task_id}
        assert {task["id"] for task in listed} == mine
