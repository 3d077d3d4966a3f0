"""Completing and reopening a task, as doors offer it under `/complete`."""

from typing import Annotated
from uuid import UUID

from fastapi import Body, Request
from pydantic import BaseModel, Field

from app.commands.handlers import tasks as actions
from app.commands.perform import perform
from app.models.task import Task


class Completion(BaseModel):
    """What the task is to be; absent or null: what it is not now."""

    completed: Annotated[bool | None, Field(strict=True)] = None


OptionalCompletion = Annotated[Completion, Body(default_factory=Completion)]


async def complete(request: Request, task_id: UUID, wish: Completion) -> Task:
    """The task, completed or open as wished, else toggled; an open one is not touched to be so."""
    if wish.completed is None:
        task = await perform(request, actions.toggle_task, actions.ToggleTask(task_id=task_id))
    elif wish.completed:
        payload = actions.UpdateTask(task_id=task_id, status="completed")
        task = await perform(request, actions.update_task, payload)
    else:
        task = await perform(request, actions.reopen_task, actions.ReopenTask(task_id=task_id))
    result: Task = task
    return result
