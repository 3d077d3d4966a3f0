"""The snippets with which agents connect."""

import json
import re
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from tests.conftest import ADMIN_HEADERS
from tests.support.agents import agent, data_of, guided
from tests.support.pages import API

(SECTION,) = re.findall(r"^## Agents\n(.*?)^## ", API, re.DOTALL | re.MULTILINE)
SNIPPETS = re.findall(r"^```json\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_is_json_that_leads_to_the_door_with_a_key(snippet: str) -> None:
    assert json.loads(snippet).keys() & {"mcpServers", "servers"}
    assert "http://localhost:8888/mcp" in snippet
    assert "Bearer ${" in snippet


def test_there_is_one_for_each_of_the_common_clients() -> None:
    assert len(SNIPPETS) == 4
    (program,) = re.findall(r"^```python\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)
    compile(program, "docs/api.md", "exec")


async def test_the_key_for_an_agent_may_do_all_that_the_guide_says(
    app: FastAPI, client: AsyncClient
) -> None:
    (body,) = re.findall(r"/admin/service-keys .*?-d '(.*?)'", SECTION, re.DOTALL)
    made = await client.post("/admin/service-keys", json=json.loads(body), headers=ADMIN_HEADERS)
    headers = {"Authorization": f"Bearer {made.json()['service_key']}"}
    async with agent(app, headers=headers) as planner:
        (content,) = (await planner.read_resource("guide://planning")).contents
        said = await planner.get_prompt("plan-my-day", {})
        task = data_of(await planner.call_tool("create-task", {"title": "Feed cat"}))
        named = {"task_id": task["id"]}
        due = {"status": "pending", "sort": "due_date", "due_to": "2026-12-14"}
        start = {**named, "status": "in_progress"}
        change = {"id": "1", "action": "update-task", "payload": start}
        arguments: dict[str, dict[str, Any]] = {
            "get-mood": {},
            "list-tasks": due,
            "update-task": {**named, "priority": "high"},
            "create-task": {"title": "Feed dog"},
            "batch": {"commands": [change]},
            "delete-task": named,
            "undo": {"sequence": 5},
        }
        steps = dict.fromkeys(guided(content.text))  # type: ignore[union-attr]
        assert steps.keys() == arguments.keys()
        assert set(guided(said.messages[0].content.text)) == {"get-mood", "list-tasks"}  # type: ignore[union-attr]
        for step in steps:
            data = data_of(await planner.call_tool(step, arguments[step]))
        assert [one["status"] for one in data["tasks"]] == ["in_progress"]
