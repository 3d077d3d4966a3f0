"""What helps an agent beside the tools: how to plan a day with those that it may call."""

import re
from collections.abc import Iterable, Iterator, Sequence

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

from app.commands.action import Action
from app.commands.registry import ACTION_HANDLERS

_PLANNING = "guide://planning"
_TITLE = "How to plan a day with this service"
_STEPS = (
    "`get-mood` tells how the user is doing with the tasks, and why; in a bad mood plan fewer.",
    '`list-tasks` with `status` "pending", `sort` "due_date" and `due_to` at the end of the day '
    "shows what is due, overdue tasks first. Follow `next_cursor` until it is null.",
    "Ask which tasks fit into the day. Three to five that matter are a good day.",
    '`update-task` sets `priority`, `due_date` and `status`: "in_progress", at last "completed". '
    "Send only the fields that change, and instants in UTC.",
    "`create-task` adds what is missing.",
    "`batch` makes several changes at once, `update-task` and `create-task` alike, all or none.",
    "`delete-task` destroys: ask first. `undo` takes back what was done.",
)
_ERRORS = """An error is one sentence; it names the argument to change. `_meta.dry_run` shows what
a tool would do, and does nothing. With `_meta.idempotency_key` a call that is sent again has no
second effect.
"""
_PLAN = (
    "Plan my day{when} with the tools of this service. Read the resource {guide} first.",
    "Look at my mood with `get-mood`.",
    "Look at my pending tasks with `list-tasks`, those that are due first.",
    "Propose three to five of them, in an order, with a reason each, and ask before you change "
    "anything.",
)

RESOURCE = Resource(
    uri=_PLANNING,
    name="planning",
    title=_TITLE,
    description="Which tools to use in which order, and what to ask first.",
    mime_type="text/markdown",
)
PROMPT = Prompt(
    name="plan-my-day",
    title="Plan my day",
    description="Chooses what to do today, and in which order.",
    arguments=[PromptArgument(name="day", description="Which day, as 2026-12-14.", required=False)],
)


def read(uri: str, actions: Sequence[Action]) -> ReadResourceResult:
    """The text of a resource for who may perform these actions; MCPError where there is none."""
    if uri != _PLANNING:
        raise MCPError(INVALID_PARAMS, "There is no such resource")
    steps = (f"{number}. {step}" for number, step in enumerate(_possible(_STEPS, actions), 1))
    text = "\n".join((f"# {_TITLE}", "", *steps, "", _ERRORS))
    contents = TextResourceContents(uri=uri, mime_type="text/markdown", text=text)
    return ReadResourceResult(contents=[contents])


def prompt(name: str, day: str | None, actions: Sequence[Action]) -> GetPromptResult:
    """What to say to a model that may perform these; MCPError where there is no such prompt."""
    if name != PROMPT.name:
        raise MCPError(INVALID_PARAMS, "There is no such prompt")
    when = f", {day[:40]}," if day else ""
    text = " ".join(_possible(_PLAN, actions)).format(when=when, guide=_PLANNING)
    message = PromptMessage(role="user", content=TextContent(type="text", text=text))
    return GetPromptResult(description=PROMPT.description, messages=[message])


def _possible(steps: Iterable[str], actions: Sequence[Action]) -> Iterator[str]:
    """The steps that name no other action than these."""
    others = ACTION_HANDLERS.keys() - {action.name for action in actions}
    return (step for step in steps if others.isdisjoint(re.findall(r"`([a-z-]+)`", step)))
