"""What helps an agent beside the tools: how to plan a day with them."""

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    GetPromptResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceResult,
    Resource,
    TextContent,
    TextResourceContents,
)

_PLANNING = "guide://planning"
_GUIDE = """# How to plan a day with this service

1. `get-mood` tells how the user is doing with the tasks, and why.
2. `list-tasks` with `status` "pending", `sort` "due_date" and `due_to` at the end of the day shows
   what is due, overdue tasks first. Follow `next_cursor` until it is null.
3. Ask which tasks fit into the day. Three to five that matter are a good day; a tired mood wants
   fewer.
4. `update-task` sets `priority`, `due_date` and `status`: "in_progress", at last "completed". Send
   only the fields that change, and instants in UTC. `create-task` adds what is missing.
5. `batch` makes several changes at once, all or none.
6. `delete-task` destroys: ask first. `_meta.dry_run` shows what a tool would do, and does nothing.
   `undo` takes back what was done.

An error is one sentence; it names the argument to change. With `_meta.idempotency_key` a call that
is sent again has no second effect.
"""
_PLAN = (
    "Plan my day{when} with the tools of this service. Read the resource {guide} first. Look at my "
    "mood and at my pending tasks, those that are due first. Propose three to five of them, in an "
    "order, with a reason each, and ask before you change anything."
)

RESOURCE = Resource(
    uri=_PLANNING,
    name="planning",
    title="How to plan a day with this service",
    description="Which tools to use in which order, and what to ask first.",
    mime_type="text/markdown",
)
PROMPT = Prompt(
    name="plan-my-day",
    title="Plan my day",
    description="Chooses what to do today, and in which order.",
    arguments=[PromptArgument(name="day", description="Which day, as 2026-12-14.", required=False)],
)


def read(uri: str) -> ReadResourceResult:
    """The text of a resource; MCPError where there is none."""
    if uri != _PLANNING:
        raise MCPError(INVALID_PARAMS, "There is no such resource")
    text = TextResourceContents(uri=uri, mime_type="text/markdown", text=_GUIDE)
    return ReadResourceResult(contents=[text])


def prompt(name: str, day: str | None) -> GetPromptResult:
    """What to say to a model; MCPError where there is no such prompt."""
    if name != PROMPT.name:
        raise MCPError(INVALID_PARAMS, "There is no such prompt")
    text = _PLAN.format(when=f", {day[:40]}," if day else "", guide=_PLANNING)
    message = PromptMessage(role="user", content=TextContent(type="text", text=text))
    return GetPromptResult(description=PROMPT.description, messages=[message])
