from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import Execute, TaskFactory


async def data(execute: Execute, action: str, **payload: Any) -> Any:
    answer = await execute(action, **payload)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_the_answer_has_the_members_of_the_contract(execute: Execute) -> None:
    mood = await data(execute, "get-mood")
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date() + timedelta(1), datetime.min.time(), UTC)
    assert list(mood) == [
        *("mood", "streak", "today", "week", "next_due", "computed_at", "valid_until")
    ]
    reasons = mood["mood"].pop("reasons")
    assert [(reason["code"], reason["points"]) for reason in reasons] == [
        *(("base", 50), ("new_user", 0))
    ]
    assert all(reason["text"] for reason in reasons)
    assert mood["mood"] == {"score": 50, "label": "content"}
    assert mood["streak"] == {
        "current": 0,
        "longest": 0,
        "last_day": None,
        "at_risk_until": None,
        "freezes_left": 0,
    }
    assert mood["today"] == {"date": str(now.date()), "completed": 0, "due": 0, "overdue": 0}
    assert mood["week"] == [
        {"date": str(now.date() - timedelta(days)), "completed": 0} for days in range(6, -1, -1)
    ]
    assert datetime.fromisoformat(mood["valid_until"]) == midnight
    assert mood["next_due"] is None


async def test_completing_counts_once_and_reopening_takes_it_back(
    execute: Execute, make_task: TaskFactory
) -> None:
    task = await make_task(due_date="2999-01-01T00:00:00Z")

    async def after(status: str) -> tuple[int, dict[str, int]]:
        await data(execute, "update-task", task_id=str(task.id), status=status)
        mood = await data(execute, "get-mood")
        reasons = {reason["code"]: reason["points"] for reason in mood["mood"]["reasons"]}
        return mood["today"]["completed"], reasons

    done = (1, {"base": 50, "done_today": 6, "on_time_week": 10, "streak": 2})
    assert await after("completed") == done
    assert await after("completed") == done
    assert await after("in_progress") == (0, {"base": 50})
    assert await after("completed") == done
    await data(execute, "delete-task", task_id=str(task.id))
    assert (await data(execute, "get-mood"))["today"]["completed"] == 1


async def test_the_zone_of_the_payload_counts_for_who_has_no_preference(execute: Execute) -> None:
    async def ends(**payload: str) -> str:
        until: str = (await data(execute, "get-mood", **payload))["valid_until"]
        return until[11:16]

    assert await ends(time_zone="Asia/Tokyo") == "15:00"
    await data(execute, "set-preferences", time_zone="Asia/Kolkata", day_start="04:00")
    assert await ends(time_zone="Asia/Tokyo") == await ends() == "22:30"
    refused = await execute("get-mood", time_zone="Mars/Olympus")
    assert refused.status_code == 400


async def test_preferences_are_kept_and_told(execute: Execute) -> None:
    default = {"time_zone": "UTC", "day_start": "00:00"}
    assert await data(execute, "get-preferences") == default
    wanted = {"time_zone": "Europe/Berlin", "day_start": "12:00"}
    assert await data(execute, "set-preferences", **wanted) == wanted
    assert await data(execute, "get-preferences") == wanted
    assert await data(execute, "set-preferences", time_zone=None, day_start=None) == default


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("time_zone", zone) for zone in ("europe/berlin", "EST5EDT4", "<+03>-3", "PDT", "", 1)),
        *(("day_start", at) for at in ("12:01", "24:00", "4:00", "04:00:00", "04:60", "", 4)),
    ],
)
async def test_a_zone_or_day_start_that_is_none_is_400_naming_the_field(
    execute: Execute, field: str, value: object
) -> None:
    answer = await execute("set-preferences", **{field: value})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["detail"].startswith(f"{field}: ")


async def test_no_preference_at_all_is_400(execute: Execute) -> None:
    assert (await execute("set-preferences")).status_code == 400


async def test_get_stats_has_exactly_its_six_figures(execute: Execute) -> None:
    assert len(await data(execute, "get-stats")) == 6
