from collections.abc import Iterator
from typing import Any

import pytest
from httpx import AsyncClient
from jsonschema import Draft202012Validator

from app.commands.registry import commands
from app.models.key import NewKey
from app.services import Connection, keys
from tests.conftest import SERVICE_HEADERS, CallFactory, ContactFactory, Execute, TaskFactory

Document = dict[str, Any]
EXAMPLES = [request for action in commands() for request in action.example_requests()]
OPEN = {"/", "/health", "/health/ready", "/health/live"}
LOGIN = "/api/v1/auth/"


@pytest.fixture
async def mighty(db: Connection) -> dict[str, str]:
    """Headers of a key that may do everything, what must be granted by name included."""
    value = keys.generate("dev", None)
    scopes = ["*", "users:export", "users:purge"]
    await keys.insert_key(db, NewKey(key_name="mighty", environment="dev", scopes=scopes), value)
    return {"X-Service-Key": value}


@pytest.fixture
async def document(client: AsyncClient) -> Document:
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    served: Document = answer.json()
    return served


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def body_of(document: Document) -> Document:
    body: Document = document["paths"]["/execute"]["post"]["requestBody"]
    return body


def validator(document: Document, schema: Document) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


def response_of(action: str) -> Document:
    return {"$ref": f"#/components/schemas/{action.title().replace('-', '')}Response"}


async def test_title_is_task_manager_api(document: Document) -> None:
    assert document["info"]["title"] == "Task Manager API"


async def test_each_action_has_a_variant_told_apart_by_action(document: Document) -> None:
    body = body_of(document)["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/CommandRequest"}
    schema = document["components"]["schemas"]["CommandRequest"]
    names = [action.name for action in commands()]
    assert schema["discriminator"]["propertyName"] == "action"
    mapping = schema["discriminator"]["mapping"]
    assert set(mapping) == set(names)
    assert [variant["$ref"] for variant in schema["oneOf"]] == [mapping[name] for name in names]
    for name, reference in mapping.items():
        variant = document["components"]["schemas"][reference.rpartition("/")[2]]
        assert variant["properties"]["action"]["const"] == name
        assert {"action", "user_id"} <= set(variant["required"])
        assert variant["description"]


async def test_example_of_success_is_an_answer_to_create_task(document: Document) -> None:
    answer = document["paths"]["/execute"]["post"]["responses"]["200"]
    example = answer["content"]["application/json"]["example"]
    validator(document, response_of("create-task")).validate(example)


async def test_answer_of_an_action_has_the_result_that_the_action_declares(
    document: Document,
) -> None:
    schemas = document["components"]["schemas"]
    for action, result in {
        "create-task": "Task",
        "list-tasks": "TaskList",
        "assign-category": "CategorizedTask",
        "delete-category": "DeletedCategory",
        "delete-task": "DeletedTask",
    }.items():
        answer = schemas[response_of(action)["$ref"].rpartition("/")[2]]
        assert answer["properties"]["data"]["$ref"] == f"#/components/schemas/{result}"
        assert set(answer["required"]) == set(schemas["CommandResponse"]["required"])


async def test_body_is_required(document: Document) -> None:
    assert body_of(document)["required"] is True


async def test_examples_are_named_by_their_action(document: Document) -> None:
    examples = body_of(document)["content"]["application/json"]["examples"]
    assert {action.name for action in commands()} <= set(examples)
    assert [example["value"] for example in examples.values()] == EXAMPLES
    for name, example in examples.items():
        assert name.startswith(example["value"]["action"])
    summaries = [example["summary"] for example in examples.values()]
    assert len(set(summaries)) == len(summaries)
    assert "List tasks: due this week" in summaries


@pytest.mark.parametrize("request_body", EXAMPLES, ids=lambda body: str(body["action"]))
async def test_example_matches_the_schema_and_executes(
    document: Document, client: AsyncClient, mighty: dict[str, str], request_body: Document
) -> None:
    schema = body_of(document)["content"]["application/json"]["schema"]
    validator(document, schema).validate(request_body)
    answer = await client.post("/execute", json=request_body, headers=mighty)
    named = [value for name, value in request_body["payload"].items() if name.endswith("_id")]
    if named:
        assert answer.status_code == 404
        assert " not found" in answer.json()["detail"]
        assert named[0] in answer.json()["detail"]
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize("request_body", EXAMPLES, ids=lambda body: str(body["action"]))
async def test_answer_matches_the_served_response_schema(
    document: Document,
    client: AsyncClient,
    make_task: TaskFactory,
    make_contact: ContactFactory,
    make_call: CallFactory,
    execute: Execute,
    mighty: dict[str, str],
    request_body: Document,
) -> None:
    task = await make_task(status="completed", due_date="2020-01-01T00:00:00Z")
    await make_task(description="Salmon", priority="urgent")
    category = (await execute("create-category", name="Vet")).json()["data"]
    ids = {"task_id": str(task.id), "category_id": category["id"]}
    renamed = await execute("update-task", task_id=str(task.id), title="Renamed")
    ids["command_id"] = renamed.headers["x-request-id"]
    contact = await make_contact()
    ids |= {"contact_id": str(contact.id), "call_id": str((await make_call(contact)).id)}
    if request_body["action"] == "unassign-category":
        await execute("assign-category", **ids)
    if request_body["action"] == "restore-task":
        await execute("delete-task", task_id=str(task.id), permanent=False)
    ids["user_id"] = str(contact.id)
    payload = {name: ids.get(name, value) for name, value in request_body["payload"].items()}
    command = {**request_body, "payload": payload}
    answer = await client.post("/execute", json=command, headers=mighty)
    assert answer.status_code == 200
    responses = document["paths"]["/execute"]["post"]["responses"]
    schema = responses["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/CommandResponse"}
    validator(document, schema).validate(answer.json())
    validator(document, response_of(request_body["action"])).validate(answer.json())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("400", {"action": "create-task", "user_id": "u"}),
        ("403", {"action": "create-task", "user_id": "u", "payload": {"title": "t"}}),
        ("404", {"action": "fly", "user_id": "u"}),
        ("422", {"action": "create-task"}),
    ],
)
async def test_refusal_matches_the_served_response_schema(
    document: Document, client: AsyncClient, db: Connection, status: str, body: Document
) -> None:
    headers = SERVICE_HEADERS
    if status == "403":
        value = "sk_dev_" + "0" * 64
        await db.execute(
            "INSERT INTO service_api_keys (key_name, api_key, scopes) "
            "VALUES ('reader', $1, '{tasks:read}')",
            value,
        )
        headers = {"X-Service-Key": value}
    answer = await client.post("/execute", json=body, headers=headers)
    assert str(answer.status_code) == status
    response = document["paths"]["/execute"]["post"]["responses"][status]
    validator(document, response["content"]["application/json"]["schema"]).validate(answer.json())


async def test_execute_documents_every_status_of_the_contract(document: Document) -> None:
    responses = document["paths"]["/execute"]["post"]["responses"]
    assert {"200", "400", "401", "403", "404", "413", "422", "500", "503"} <= set(responses)


async def test_every_operation_but_the_open_ones_requires_a_credential(
    document: Document,
) -> None:
    schemes = document["components"]["securitySchemes"]
    for path, operation in operations(document):
        required = {name for one in operation.get("security", ()) for name in one}
        assert bool(required) == (path not in OPEN and not path.startswith(LOGIN)), path
        assert required <= set(schemes)
    assert document["paths"]["/execute"]["post"]["security"] == [{"ServiceKey": []}]


async def test_every_operation_and_response_is_described(document: Document) -> None:
    for path, operation in operations(document):
        assert operation["summary"], path
        for status, response in operation["responses"].items():
            assert response["description"], (path, status)


async def test_operation_ids_are_unique(document: Document) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))


async def test_schemas_are_valid_json_schema(document: Document) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
