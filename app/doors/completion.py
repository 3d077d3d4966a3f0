"""Completing and reopening a task, as doors offer it under `/complete`."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.commands.handlers import tasks as actions
from app.commands.perform import perform
from app.models.task import Task, without_defaults


class Completion(BaseModel):
    """What the task is to be; empty: what it is not now."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    completed: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="before")
    @classmethod
    def _no_other_wish(cls, given: object) -> object:
        if isinstance(given, dict) and given and "completed" not in given:
            raise PydanticCustomError(
                "no_fields", "No fields provided for update: known is completed"
            )
        return given


OptionalCompletion = Annotated[Completion, Body(default_factory=Completion)]


async def complete(request: Request, task_id: UUID, wish: Completion) -> Task:
    """The task, completed or open as wished, else toggled; an open one is not touched to be so."""
    if "completed" not in wish.model_fields_set:
        task = await perform(request, actions.toggle_task, actions.ToggleTask(task_id=task_id))
    elif wish.completed:
        payload = actions.UpdateTask(task_id=task_id, status="completed")
        task = await perform(request, actions.update_task, payload)
    else:
        task = await perform(request, actions.reopen_task, actions.ReopenTask(task_id=task_id))
    result: Task = task
    return result
