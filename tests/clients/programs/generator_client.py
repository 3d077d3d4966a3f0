"""Creates, reads and lists a task at every door, by the client of openapi-generator."""

import os

from openapi_client import (
    AccountsApi,
    AccountsNewTask,
    AccountTasksApi,
    ApiClient,
    CommandRequest,
    CommandsApi,
    Configuration,
    ContactsApi,
    ContactsNewTask,
    CreateTask,
    CreateTaskCommand,
    CreateTaskResponse,
    GetTask,
    GetTaskCommand,
    ListTasks,
    ListTasksCommand,
    ListTasksResponse,
    NewAccount,
    SessionsApi,
    SessionsNewTask,
    UserTasksApi,
    UserTasksNewTask,
)

USER, TITLE = "user_123", "Feed cat"


def client(access_token: str | None = None) -> ApiClient:
    keys = {name: os.environ[name] for name in ("ServiceKey", "ServiceAuth", "PartnerKey")}
    return ApiClient(Configuration(host=os.environ["URL"], api_key=keys, access_token=access_token))


def commands() -> None:
    api = CommandsApi(client())
    new = CreateTaskCommand(user_id=USER, payload=CreateTask(title=TITLE), action="create-task")
    answer = api.execute(CommandRequest(new), idempotency_key="generator")
    task = CreateTaskResponse.model_validate(answer.to_dict()).data
    reading = GetTaskCommand(user_id=USER, payload=GetTask(task_id=task.id), action="get-task")
    assert api.execute(CommandRequest(reading)).data["id"] == str(task.id)
    listing = ListTasksCommand(user_id=USER, payload=ListTasks(limit=100), action="list-tasks")
    answer = api.execute(CommandRequest(listing))
    assert task in ListTasksResponse.model_validate(answer.to_dict()).data.tasks


def sessions() -> None:
    api = SessionsApi(client())
    task = api.create_task_sessions(SessionsNewTask(title=TITLE), x_user_id=USER)
    assert api.get_task_sessions(task.id, x_user_id=USER) == task
    assert task in api.list_tasks_sessions(x_user_id=USER)


def accounts() -> None:
    new = NewAccount(email="tom@example.com", password="Salmon-at-7", full_name="Tom")
    account = AccountsApi(client()).register_accounts(new)
    api = AccountTasksApi(client(account.access_token))
    task = api.create_task_accounts(AccountsNewTask(title=TITLE))
    assert api.get_task_accounts(task.id) == task
    assert api.list_tasks_accounts().items == [task]


def user_tasks() -> None:
    api = UserTasksApi(client(os.environ["UserToken"]))
    task = api.create_task_user_tasks(USER, UserTasksNewTask(title=TITLE))
    assert api.get_task_user_tasks(USER, task.id) == task
    assert task in api.list_tasks_user_tasks(USER).tasks


def contacts() -> None:
    api = ContactsApi(client())
    task = api.create_task_contacts(ContactsNewTask(title=TITLE))
    assert api.read_task_contacts(str(task.id)) == task
    assert task in api.list_tasks_contacts()


for door in (commands, sessions, accounts, user_tasks, contacts):
    door()
