"""Creates, reads and lists a task at every door, by the client of openapi-python-client."""

import os
from uuid import UUID

from task_client import AuthenticatedClient, Client
from task_client.api.account_tasks import (
    create_task_accounts,
    get_task_accounts,
    list_tasks_accounts,
    update_task_accounts,
)
from task_client.api.accounts import register_accounts
from task_client.api.commands import execute
from task_client.api.contacts import create_task_contacts, list_tasks_contacts, read_task_contacts
from task_client.api.sessions import (
    create_task_sessions,
    get_task_sessions,
    list_tasks_sessions,
)
from task_client.api.user_tasks import (
    create_task_user_tasks,
    get_task_user_tasks,
    list_tasks_user_tasks,
)
from task_client.models import (
    AccountsNewTask,
    AccountsTaskPatch,
    AccountTask,
    AssignCategory,
    AssignCategoryCommand,
    AssignCategoryResponse,
    CommandResponse,
    ContactsNewTask,
    ContactTask,
    CreateCategory,
    CreateCategoryCommand,
    CreateCategoryResponse,
    CreateTask,
    CreateTaskCommand,
    CreateTaskResponse,
    DeleteCategory,
    DeleteCategoryCommand,
    DeleteCategoryResponse,
    GetTask,
    GetTaskCommand,
    GetTaskResponse,
    ListTasks,
    ListTasksCommand,
    ListTasksResponse,
    NewAccount,
    Registered,
    SessionsNewTask,
    ShownTask,
    TaskPage,
    UserTask,
    UserTaskList,
    UserTasksNewTask,
)

URL, USER, TITLE = os.environ["URL"], "user_123", "Feed cat"


def authorized(name: str, header: str, prefix: str = "") -> AuthenticatedClient:
    return AuthenticatedClient(
        URL, token=os.environ[name], auth_header_name=header, prefix=prefix, follow_redirects=False
    )


def commands() -> None:
    client = authorized("ServiceKey", "X-Service-Key")
    new = CreateTaskCommand(user_id=USER, payload=CreateTask(title=TITLE), action="create-task")
    answer = execute.sync(client=client, body=new, idempotency_key="python-client")
    assert isinstance(answer, CommandResponse)
    task = CreateTaskResponse.from_dict(answer.to_dict()).data
    reading = GetTaskCommand(user_id=USER, payload=GetTask(task_id=task.id), action="get-task")
    answer = execute.sync(client=client, body=reading)
    assert isinstance(answer, CommandResponse)
    assert GetTaskResponse.from_dict(answer.to_dict()).data == task
    listing = ListTasksCommand(user_id=USER, payload=ListTasks(limit=100), action="list-tasks")
    answer = execute.sync(client=client, body=listing)
    assert isinstance(answer, CommandResponse)
    assert task in ListTasksResponse.from_dict(answer.to_dict()).data.tasks
    categories(client, task.id)


def categories(client: AuthenticatedClient, task_id: UUID) -> None:
    new = CreateCategoryCommand(
        user_id=USER, payload=CreateCategory(name="Food"), action="create-category"
    )
    answer = execute.sync(client=client, body=new)
    assert isinstance(answer, CommandResponse)
    category = CreateCategoryResponse.from_dict(answer.to_dict()).data
    both = AssignCategory(task_id=task_id, category_id=category.id)
    assigning = AssignCategoryCommand(user_id=USER, payload=both, action="assign-category")
    answer = execute.sync(client=client, body=assigning)
    assert isinstance(answer, CommandResponse)
    labels = AssignCategoryResponse.from_dict(answer.to_dict()).data.categories
    assert [label.name for label in labels] == ["Food"]
    deleting = DeleteCategoryCommand(
        user_id=USER, payload=DeleteCategory(category_id=category.id), action="delete-category"
    )
    answer = execute.sync(client=client, body=deleting)
    assert isinstance(answer, CommandResponse)
    assert DeleteCategoryResponse.from_dict(answer.to_dict()).data.deleted_id == category.id


def sessions() -> None:
    client = authorized("ServiceAuth", "X-Service-Auth")
    body = SessionsNewTask(title=TITLE)
    task = create_task_sessions.sync(client=client, body=body, x_user_id=USER)
    assert isinstance(task, ShownTask)
    assert get_task_sessions.sync(task.id, client=client, x_user_id=USER) == task
    tasks = list_tasks_sessions.sync(client=client, x_user_id=USER)
    assert isinstance(tasks, list)
    assert task in tasks


def accounts() -> None:
    new = NewAccount(email="whiskers@example.com", password="Salmon-at-7", full_name="Whiskers")
    account = register_accounts.sync(client=Client(URL), body=new)
    assert isinstance(account, Registered)
    client = AuthenticatedClient(URL, token=account.access_token)
    task = create_task_accounts.sync(client=client, body=AccountsNewTask(title=TITLE))
    assert isinstance(task, AccountTask)
    assert get_task_accounts.sync(task.id, client=client) == task
    page = list_tasks_accounts.sync(client=client)
    assert isinstance(page, TaskPage)
    assert page.items == [task]
    patch = AccountsTaskPatch(version=task.version, title="Feed both")
    changed = update_task_accounts.sync(task.id, client=client, body=patch)
    assert isinstance(changed, AccountTask)
    assert changed.title == "Feed both"


def user_tasks() -> None:
    client = authorized("UserToken", "Authorization", "Bearer")
    task = create_task_user_tasks.sync(USER, client=client, body=UserTasksNewTask(title=TITLE))
    assert isinstance(task, UserTask)
    assert get_task_user_tasks.sync(USER, task.id, client=client) == task
    tasks = list_tasks_user_tasks.sync(USER, client=client)
    assert isinstance(tasks, UserTaskList)
    assert task in tasks.tasks


def contacts() -> None:
    client = authorized("PartnerKey", "X-API-Key")
    task = create_task_contacts.sync(client=client, body=ContactsNewTask(title=TITLE))
    assert isinstance(task, ContactTask)
    assert read_task_contacts.sync(str(task.id), client=client) == task
    tasks = list_tasks_contacts.sync(client=client)
    assert isinstance(tasks, list)
    assert task in tasks


for door in (commands, sessions, accounts, user_tasks, contacts):
    door()
