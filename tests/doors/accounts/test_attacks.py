import asyncio
from statistics import median
from time import perf_counter

import pytest
from httpx import AsyncClient

from app.services import Connection
from tests.conftest import Figure
from tests.support.accounts import (
    ATTACKS,
    EMAIL,
    INVALID_REFRESH,
    INVALID_TOKEN,
    LOCKED,
    PASSWORD,
    WRONG,
    assert_refused,
    list_categories,
    log_in,
    refresh,
    register,
)


async def test_wrong_password_and_unknown_address_are_the_same_401(client: AsyncClient) -> None:
    await register(client)
    assert_refused(await log_in(client, password="Salmon-at-8"), 401, WRONG)
    assert_refused(await log_in(client, email="nobody@example.com"), 401, WRONG)
    assert_refused(await log_in(client, email="no address", password=""), 401, WRONG)


@pytest.mark.alone
async def test_time_does_not_tell_whether_an_address_is_known(
    client: AsyncClient, db: Connection, figure: Figure
) -> None:
    await register(client)
    seconds: dict[str, list[float]] = {EMAIL: [], "nobody@example.com": []}
    for _ in range(15):
        for email, taken in seconds.items():
            started = perf_counter()
            assert_refused(await log_in(client, email, "Salmon-at-8"), 401, WRONG)
            taken.append(perf_counter() - started)
            await db.execute("UPDATE accounts SET failed_logins = 0")
    known, unknown = map(median, seconds.values())
    figure(f"known {known * 1000:.1f} ms, unknown {unknown * 1000:.1f} ms")
    assert 0.5 < unknown / known < 2


async def test_fifth_failure_locks_out_the_right_password_too(live_client: AsyncClient) -> None:
    await register(live_client)
    for _ in range(5):
        assert_refused(await log_in(live_client, password="Salmon-at-8"), 401, WRONG)
    for password in (PASSWORD, "Salmon-at-8"):
        answer = await log_in(live_client, password=password)
        assert_refused(answer, 423, LOCKED)
        assert 890 < int(answer.headers["Retry-After"]) <= 900


async def test_lock_ends_after_15_minutes(client: AsyncClient, db: Connection) -> None:
    await register(client)
    for _ in range(5):
        await log_in(client, password="Salmon-at-8")
    await db.execute("UPDATE accounts SET locked_until = locked_until - interval '15 minutes'")
    assert (await log_in(client)).status_code == 200


async def test_success_starts_the_count_anew(client: AsyncClient) -> None:
    await register(client)
    for _ in range(3):
        for _ in range(4):
            await log_in(client, password="Salmon-at-8")
        assert (await log_in(client)).status_code == 200


@pytest.mark.alone
async def test_of_guesses_side_by_side_five_are_told_whether_they_are_right(
    live_client: AsyncClient,
) -> None:
    """Also the right one among those that come too late is told nothing but that it is late."""
    await register(live_client)
    guesses = [f"Salmon-at-{number}" for number in range(100, 120)] + [PASSWORD] * 5
    answers = await asyncio.gather(
        *(log_in(live_client, password=password) for password in guesses)
    )
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(401) == 5
    assert statuses.count(423) == len(guesses) - 5


async def test_reused_refresh_token_revokes_its_family(live_client: AsyncClient) -> None:
    first = (await register(live_client)).json()["refresh_token"]
    second = (await refresh(live_client, first)).json()["refresh_token"]
    other = (await log_in(live_client)).json()["refresh_token"]
    assert_refused(await refresh(live_client, first), 401, INVALID_REFRESH)
    assert_refused(await refresh(live_client, second), 401, INVALID_REFRESH)
    assert (await refresh(live_client, other)).status_code == 200


async def test_of_two_refreshes_side_by_side_one_succeeds(live_client: AsyncClient) -> None:
    token = (await register(live_client)).json()["refresh_token"]
    answers = await asyncio.gather(*(refresh(live_client, token) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    [winner] = [answer for answer in answers if answer.status_code == 200]
    assert_refused(await refresh(live_client, winner.json()["refresh_token"]), 401, INVALID_REFRESH)


@pytest.mark.parametrize("token", ["", "x", "0" * 96, "é" * 96, "x" * 5000, "\x00"])
async def test_unknown_refresh_token_is_401(client: AsyncClient, token: str) -> None:
    assert_refused(await refresh(client, token), 401, INVALID_REFRESH)


async def test_access_token_is_no_refresh_token_and_the_reverse(client: AsyncClient) -> None:
    body = (await register(client)).json()
    assert (await refresh(client, body["access_token"])).status_code in (400, 401)
    assert_refused(await list_categories(client, body["refresh_token"]), 401, INVALID_TOKEN)


@pytest.mark.parametrize("token", ATTACKS.values(), ids=ATTACKS.keys())
async def test_forged_token_is_401(client: AsyncClient, token: str) -> None:
    assert_refused(await list_categories(client, token), 401, INVALID_TOKEN)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic YTpi", "bearer\t", "Bearer a b", "Bearer é", "Token x"],
)
async def test_anything_but_a_bearer_token_is_401(client: AsyncClient, authorization: str) -> None:
    headers = [(b"Authorization", authorization.encode())]
    answer = await client.get("/api/v1/categories", headers=headers)
    assert_refused(answer, 401, INVALID_TOKEN)


async def test_scheme_is_read_in_any_case(client: AsyncClient) -> None:
    token = (await register(client)).json()["access_token"]
    headers = {"Authorization": f"bEARER  {token} "}
    assert (await client.get("/api/v1/categories", headers=headers)).status_code == 200
