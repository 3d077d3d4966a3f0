"""The user tasks door, opened by the public keys of an auth server."""

import asyncio

from tests.doors.test_user_tasks import assert_refused, bearer
from tests.support.accounts import serving
from tests.support.key_server import KeyServer
from tests.support.provider import HANG


async def test_public_keys_open_the_door_without_a_secret(database_url: str) -> None:
    async with KeyServer() as server:
        given = {"better_auth_secret": None, "better_auth_url": server.url}
        async with serving(database_url, **given) as client:
            headers = {"Authorization": f"Bearer {server.sign()}"}
            assert (await client.get("/api/ann/tasks", headers=headers)).status_code == 200
            foreign = await client.get("/api/bob/tasks", headers=headers)
            assert_refused(foreign, 403, "FORBIDDEN")
            shared = await client.get("/api/user_123/tasks", headers=bearer())
            assert_refused(shared, 401, "UNAUTHORIZED")


async def test_while_no_keys_can_be_fetched_nobody_is_told_to_sign_in_again(
    database_url: str,
) -> None:
    async with KeyServer() as server:
        server.behaviour = "break"
        async with serving(database_url, better_auth_url=server.url) as client:
            headers = {"Authorization": f"Bearer {server.sign()}"}
            answer = await client.get("/api/ann/tasks", headers=headers)
            assert_refused(answer, 503, "SERVER_ERROR")
            assert answer.headers["Retry-After"]
            shared = await client.get("/api/user_123/tasks", headers=bearer())
            assert shared.status_code == 200


async def test_no_connection_is_held_while_keys_are_fetched(database_url: str) -> None:
    async with KeyServer() as server:
        server.behaviour = HANG
        given = {"better_auth_url": server.url, "database_pool_size": 1}
        async with serving(database_url, **given) as client:
            headers = {"Authorization": f"Bearer {server.sign()}"}
            waiting = asyncio.create_task(client.get("/api/ann/tasks", headers=headers))
            await server.asked()
            async with asyncio.timeout(1.5):
                shared = await client.get("/api/user_123/tasks", headers=bearer())
            assert shared.status_code == 200
            assert_refused(await waiting, 503, "SERVER_ERROR")
