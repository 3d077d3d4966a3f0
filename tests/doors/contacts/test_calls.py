import pytest

from tests.conftest import MISSING_ID
from tests.doors.contacts.conftest import Ask
from tests.support.contacts import CALL, assert_refused


async def test_a_call_is_scheduled_shown_and_listed_in_one_shape(ask: Ask, user_id: str) -> None:
    given = {**CALL, "user_id": user_id, "duration_minutes": 45, "notes": "Overview"}
    answer = await ask("POST", "/calls", given)
    assert answer.status_code == 201
    call = answer.json()
    assert list(call) == [
        *("id", "user_id", "title", "scheduled_for", "duration_minutes", "notes", "status"),
        *("created_at", "updated_at"),
    ]
    assert {name: call[name] for name in given} == given
    assert call["status"] == "scheduled"
    assert (await ask("GET", f"/calls/{call['id']}")).json() == call
    assert (await ask("GET", "/calls")).json() == [call]


async def test_a_call_lasts_half_an_hour_unless_told_otherwise(ask: Ask, user_id: str) -> None:
    call = (await ask("POST", "/calls", {**CALL, "user_id": user_id})).json()
    assert (call["duration_minutes"], call["notes"]) == (30, None)


@pytest.mark.parametrize("minutes", [14, 241, 0, -30, "30", 30.5, True, None])
async def test_unusable_duration_is_422(ask: Ask, user_id: str, minutes: object) -> None:
    answer = await ask("POST", "/calls", {**CALL, "user_id": user_id, "duration_minutes": minutes})
    assert answer.status_code == 422


@pytest.mark.parametrize("minutes", [15, 240, 45.0])
async def test_shortest_and_longest_durations_are_kept(
    ask: Ask, user_id: str, minutes: float
) -> None:
    answer = await ask("POST", "/calls", {**CALL, "user_id": user_id, "duration_minutes": minutes})
    assert answer.json()["duration_minutes"] == minutes


@pytest.mark.parametrize("status", ["scheduled", "completed", "cancelled", "rescheduled"])
async def test_changing_a_calls_status_answers_the_whole_call(
    ask: Ask, user_id: str, status: str
) -> None:
    call = (await ask("POST", "/calls", {**CALL, "user_id": user_id})).json()
    answer = await ask("PATCH", f"/calls/{call['id']}/status", params={"new_status": status})
    assert answer.status_code == 200
    assert answer.json() == {**call, "status": status, "updated_at": answer.json()["updated_at"]}
    assert (await ask("GET", f"/calls/{call['id']}")).json() == answer.json()


@pytest.mark.parametrize(("path", "kind"), [("/calls", "Call"), ("/tasks", "Task")])
@pytest.mark.parametrize("unknown", [str(MISSING_ID), "call-123-456", "a" * 100])
async def test_what_names_no_call_or_task_is_not_found(
    ask: Ask, path: str, kind: str, unknown: str
) -> None:
    message = f"{kind} {unknown} not found"
    assert_refused(await ask("GET", f"{path}/{unknown}"), 404, message)
    change = await ask("PATCH", f"{path}/{unknown}/status?new_status=cancelled")
    assert_refused(change, 404, message)


@pytest.mark.parametrize("path", ["/calls", "/tasks"])
@pytest.mark.parametrize("parameters", [{}, {"new_status": "purring"}, {"new_status": ""}])
async def test_unknown_status_is_422(ask: Ask, path: str, parameters: dict[str, str]) -> None:
    answer = await ask("PATCH", f"{path}/{MISSING_ID}/status", params=parameters)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "new_status"]
