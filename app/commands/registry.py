"""Every action by name. Add one here and it is dispatched, documented and listed."""

from app.commands.action import Action, BareHandler, as_action
from app.commands.handlers import (
    batch,
    calls,
    categories,
    contacts,
    mood,
    secrets,
    stats,
    sync,
    task_lists,
    tasks,
    users,
)
from app.errors import LONGEST_NAME, UnknownAction


def find_action(name: str) -> Action:
    """The registered action of this name; UnknownAction when there is none."""
    handler = ACTION_HANDLERS.get(name)
    if handler is None:
        raise UnknownAction(f"Unknown action: {name[:LONGEST_NAME]}")
    return as_action(name, handler)


ACTION_HANDLERS: dict[str, Action | BareHandler] = {
    "create-task": tasks.create_task,
    "list-tasks": task_lists.list_tasks,
    "get-task": tasks.get_task,
    "update-task": tasks.update_task,
    "toggle-task": tasks.toggle_task,
    "delete-task": tasks.delete_task,
    "restore-task": tasks.restore_task,
    "list-changes": sync.list_changes,
    "undo": sync.undo,
    "get-stats": stats.get_stats,
    "get-mood": mood.get_mood,
    "set-preferences": mood.set_preferences,
    "get-preferences": mood.get_preferences,
    "set-user-secret": secrets.set_user_secret,
    "get-user-secret": secrets.get_user_secret,
    "test-user-secret": secrets.test_user_secret,
    "delete-user-secret": secrets.delete_user_secret,
    "create-category": categories.create_category,
    "list-categories": categories.list_categories,
    "delete-category": categories.delete_category,
    "assign-category": categories.assign_category,
    "unassign-category": categories.unassign_category,
    "create-contact": contacts.create_contact,
    "list-contacts": contacts.list_contacts,
    "get-contact": contacts.get_contact,
    "schedule-call": calls.schedule_call,
    "list-calls": calls.list_calls,
    "get-call": calls.get_call,
    "set-call-status": calls.set_call_status,
    "export-user": users.export_user,
    "purge-user": users.purge_user,
    "batch": batch.batch_of(find_action),
}


def actions() -> list[Action]:
    """Every registered action, bare handlers wrapped."""
    return [as_action(name, handler) for name, handler in ACTION_HANDLERS.items()]


def commands() -> list[Action]:
    """The actions that a service key may perform, hence what /execute offers."""
    return [action for action in actions() if "service" in action.allow]
