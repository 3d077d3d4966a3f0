"""Doors that open with a stock Better Auth: the library itself, signing real people in."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from httpx import AsyncClient

from app.auth import jwks
from tests.support.application import talking_to
from tests.support.better_auth import BetterAuth, Person, running_better_auth
from tests.support.databases import create_clone
from tests.support.people import SESSION_SECRET, start_session


@pytest.fixture(
    scope="module",
    params=[("session", ""), ("user_sessions", "/login/")],
    ids=["session", "user_sessions"],
)
def auth(request: pytest.FixtureRequest, server_url: str, template: str) -> Iterator[BetterAuth]:
    """A Better Auth with a table of its own, and one in the table that our migrations made.

    The other one is served below a path.
    """
    with (
        create_clone(server_url, template) as url,
        running_better_auth(url, *request.param) as auth,
    ):
        yield auth


def doors_of(auth: BetterAuth, **changed: Any) -> Any:
    """The service on the same database, set up as the documentation says."""
    settings = {
        "better_auth_url": auth.url,
        "better_auth_secret": auth.secret,
        "session_table": auth.table,
        **changed,
    }
    return talking_to(auth.database_url, **settings)


@pytest.fixture
async def client(auth: BetterAuth) -> AsyncIterator[AsyncClient]:
    async with doors_of(auth) as client:
        yield client


@pytest.fixture
def ann(auth: BetterAuth) -> Person:
    return auth.sign_up_and_in()


async def sessions_door(client: AsyncClient, bearer: str) -> int:
    answer = await client.get("/api/tasks", headers={"Authorization": f"Bearer {bearer}"})
    return answer.status_code


async def user_tasks_door(client: AsyncClient, person: Person, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await client.get(f"/api/{person.id}/tasks", headers=headers)).status_code


async def run(auth: BetterAuth, statement: str) -> None:
    db = await asyncpg.connect(auth.database_url)
    await db.execute(statement)
    await db.close()


async def test_one_person_at_both_doors_sees_the_same_tasks(
    auth: BetterAuth, client: AsyncClient, ann: Person
) -> None:
    session = {"Authorization": f"Bearer {ann.bearer}"}
    made = await client.post("/api/tasks", json={"title": "Feed cat"}, headers=session)
    assert (made.status_code, made.json()["userId"]) == (201, ann.id)
    token = {"Authorization": f"Bearer {auth.issue_token(ann)}"}
    listed = (await client.get(f"/api/{ann.id}/tasks", headers=token)).json()
    assert [task["id"] for task in listed["tasks"]] == [made.json()["id"]]
    assert (await client.get("/api/somebody/tasks", headers=token)).status_code == 403


async def test_a_session_token_counts_with_its_signature(
    auth: BetterAuth, client: AsyncClient, ann: Person
) -> None:
    for bearer in (ann.bearer, ann.cookie):
        assert await sessions_door(client, bearer) == 200
    signature = ann.bearer.partition(".")[2]
    bob = auth.sign_up_and_in()
    for bearer in (ann.token, f"{ann.token}.", f"{ann.token}.x", f"{bob.token}.{signature}"):
        assert await sessions_door(client, bearer) == 401


async def test_without_the_secret_the_token_alone_counts(auth: BetterAuth, ann: Person) -> None:
    async with doors_of(auth, better_auth_secret=None) as client:
        for bearer in (ann.bearer, ann.token):
            assert await sessions_door(client, bearer) == 200
        assert await sessions_door(client, ann.token[:-1]) == 401


async def test_signing_out_ends_the_session_within_a_second(
    auth: BetterAuth, client: AsyncClient, ann: Person
) -> None:
    assert await sessions_door(client, ann.bearer) == 200
    auth.sign_out(ann)
    assert await sessions_door(client, ann.bearer) == 401


async def test_tokens_of_the_old_and_the_new_key_work_while_keys_rotate(
    auth: BetterAuth, client: AsyncClient, ann: Person
) -> None:
    old = auth.issue_token(ann)
    assert await user_tasks_door(client, ann, old) == 200
    await run(auth, """UPDATE jwks SET "expiresAt" = now() - interval '1 s'""")
    new = auth.issue_token(ann)
    assert new.partition(".")[0] != old.partition(".")[0]
    for token in (old, new):
        assert await user_tasks_door(client, ann, token) == 200


async def test_a_withdrawn_key_ends(
    auth: BetterAuth, client: AsyncClient, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "_REFRESH_INTERVAL", 0.1)
    monkeypatch.setattr(jwks, "_ASKING_INTERVAL", 0.1)  # a slow sign-in may be asked about twice
    old = auth.issue_token(ann)
    assert await user_tasks_door(client, ann, old) == 200
    await run(auth, "DELETE FROM jwks")
    assert await user_tasks_door(client, ann, auth.issue_token(ann)) == 200
    async with asyncio.timeout(5):
        while await user_tasks_door(client, ann, old) == 200:
            await asyncio.sleep(0.05)
    assert await user_tasks_door(client, ann, old) == 401


async def test_in_our_table_sessions_of_both_kinds_stand_side_by_side(
    auth: BetterAuth, ann: Person
) -> None:
    if auth.table == "session":
        return  # there only Better Auth writes
    db = await asyncpg.connect(auth.database_url)
    hashed = await start_session(db, "bob")
    await db.close()
    async with doors_of(auth, session_hash_secret=SESSION_SECRET) as client:
        assert await sessions_door(client, ann.bearer) == 200
        assert (await client.get("/api/tasks", headers=hashed)).status_code == 200
