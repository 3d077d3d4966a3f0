"""Tags that look the same are the same, however their accents are encoded."""

from typing import Any

import pytest

from tests.conftest import Execute

COMPOSED, DECOMPOSED = "Café", "Cafe\u0301"


async def data(execute: Execute, action: str, **payload: Any) -> Any:
    answer = await execute(action, **payload)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
async def test_a_tag_is_found_in_either_encoding(execute: Execute, written: str) -> None:
    # The title is stored as it is sent.
    created = await data(execute, "create-task", title=DECOMPOSED, tags=[written])
    updated = await data(execute, "create-task", title=DECOMPOSED)
    await data(execute, "update-task", task_id=updated["id"], tags=["x", written])
    for asked in (COMPOSED, DECOMPOSED):
        found = (await data(execute, "list-tasks", tags=[asked]))["tasks"]
        assert [task["id"] for task in found] == [updated["id"], created["id"]]
        assert {task["title"] for task in found} == {DECOMPOSED}
