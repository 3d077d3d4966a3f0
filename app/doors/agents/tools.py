"""The actions as tools."""

from functools import lru_cache
from typing import Any

from mcp_types import ListToolsResult, Tool

from app.commands import catalogue
from app.commands.action import Action
from app.doors.agents.users import USER_ID, user_argument

_SHARED = {"name", "title", "description", "inputSchema", "outputSchema", "annotations"}
_PAGES = "An answer takes 64 kB at most: what is longer comes in pages."


@lru_cache  # to make it takes longer than a command, and few callers differ
def tools_of(actions: tuple[Action, ...], *, names_user: bool) -> ListToolsResult:
    """These actions; each with an argument that names the user, where every call does."""
    entries = zip(actions, catalogue.catalogue_of(actions).tools, strict=True)
    return ListToolsResult(tools=[_tool(*entry, names_user=names_user) for entry in entries])


def _tool(action: Action, entry: catalogue.Tool, *, names_user: bool) -> Tool:
    members = entry.model_dump(include=_SHARED)
    if "limit" in action.payload.model_fields:
        members["description"] += f" {_PAGES}"
    if members["outputSchema"].get("type") != "object":
        del members["outputSchema"]  # a bare handler's, which says nothing
    if names_user:
        members["inputSchema"] = _with_user(members["inputSchema"], user_argument(action))
    return Tool.model_validate(members)


def _with_user(schema: dict[str, Any], name: str) -> dict[str, Any]:
    user = {name: {**USER_ID.json_schema(), "description": "The user for whom to act."}}
    return {
        **schema,
        "properties": user | schema.get("properties", {}),
        "required": [name, *schema.get("required", ())],
        **({"minProperties": schema["minProperties"] + 1} if "minProperties" in schema else {}),
    }
