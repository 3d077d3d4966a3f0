"""The snippets with which agents connect."""

import json
import re

import pytest

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
