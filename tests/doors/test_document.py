"""The served document as client generators and people read it: rules that hold throughout."""

import re
from collections import Counter
from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.doors import DOORS
from tests.support.document import Document, Operation, operations, resolve, served

COMBINATORS = {"anyOf", "oneOf", "allOf", "not", "if"}
NAME = re.compile("[A-Z][A-Za-z0-9]{1,59}")
DOOR_OF_TAG = {tag: door.name for door in DOORS for tag in door.tags}
DIALECTS = {"sessions", "user_api_keys", "accounts", "user_tasks", "contacts"}
OPERATION_ID = re.compile("[a-z]+(_[a-z]+)*")


@pytest.fixture(scope="module")
def document() -> Document:
    return served()


def schemas(part: Any, place: str = "#") -> Iterator[tuple[str, str, Document]]:
    """Every object of the document that may be a schema: where, under which name, and itself."""
    for name, member in part.items() if isinstance(part, dict) else enumerate(part):
        if name in {"example", "examples", "default"}:
            continue
        if isinstance(member, dict):
            yield f"{place}/{name}", place.rpartition("/")[2], member
        if isinstance(member, dict | list):
            yield from schemas(member, f"{place}/{name}")


def test_components_have_short_unique_names_without_module_paths(document: Document) -> None:
    components = document["components"]["schemas"]
    titles = {name: schema.get("title", name) for name, schema in components.items()}
    assert [name for name in (*titles, *titles.values()) if not NAME.fullmatch(name)] == []
    assert [title for title, count in Counter(titles.values()).items() if count > 1] == []
    assert {name: title for name, title in titles.items() if name != title} == {}
    assert {"CommandRequest", "CommandResponse", "SessionsNewTask"} <= set(components)


def test_no_schema_is_a_bare_null(document: Document) -> None:
    bare = [
        place
        for place, parent, schema in schemas(document)
        if schema.get("type") == "null" and parent not in {"anyOf", "oneOf"}
    ]
    assert bare == []


def test_no_schema_is_a_boolean_constant(document: Document) -> None:
    constant = [
        place
        for place, _, schema in schemas(document)
        if isinstance(schema.get("const"), bool)
        or any(isinstance(value, bool) for value in schema.get("enum", ()))
    ]
    assert constant == []


def test_no_component_has_a_property_of_its_own_name(document: Document) -> None:
    """A generator makes one variable of both."""
    doubled = [
        name
        for name, schema in document["components"]["schemas"].items()
        if re.sub("(?<=.)([A-Z])", r"_\1", name).lower() in schema.get("properties", {})
    ]
    assert doubled == []


def test_no_object_has_further_members_of_a_nested_type(document: Document) -> None:
    """A generator imports it under a name that is none."""
    nested = [
        place
        for place, _, schema in schemas(document)
        if isinstance(further := schema.get("additionalProperties"), dict)
        and ("properties" in further or {"additionalProperties", "items"} & set(further))
    ]
    assert nested == []


def test_no_body_is_a_combination_but_the_command_told_apart_by_its_action(
    document: Document,
) -> None:
    combined = set()
    for operation in operations(document):
        if operation.body is not None:
            schema = resolve(document, operation.body)
            if COMBINATORS & set(schema):
                combined.add(operation.label)
            else:
                assert schema["type"] == "object", operation.label
    assert combined == {"POST /execute"}
    command = document["components"]["schemas"]["CommandRequest"]
    assert command["discriminator"]["propertyName"] == "action"
    for variant in command["oneOf"]:
        assert not COMBINATORS & set(resolve(document, variant))


@pytest.mark.parametrize("name", ["UpdateTask", "AccountsTaskPatch", "UserTasksTaskUpdate"])
def test_update_bodies_say_that_they_want_one_field(document: Document, name: str) -> None:
    schema = document["components"]["schemas"][name]
    assert "At least one field must be given: " in schema["description"]
    assert schema["minProperties"] == len(schema.get("required", ())) + 1
    optional = set(schema["properties"]) - set(schema.get("required", ()))
    assert all("default" not in schema["properties"][field] for field in optional)


def test_every_reference_leads_to_a_component(document: Document) -> None:
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    given = {schema["$ref"] for _, _, schema in schemas(document) if "$ref" in schema}
    assert given <= known
    assert not any("HTTPValidationError" in reference for reference in known)


def test_operation_ids_say_what_is_done_and_at_which_door(document: Document) -> None:
    ids = {}
    for operation in operations(document):
        operation_id, (tag,) = operation.content["operationId"], operation.content["tags"]
        door = DOOR_OF_TAG[tag].replace("-", "_")
        assert OPERATION_ID.fullmatch(operation_id), operation.label
        assert door not in DIALECTS or operation_id.endswith(f"_{door}"), operation.label
        ids[operation_id] = operation.label
    assert len(ids) == len(operations(document))
    assert ids["execute"] == "POST /execute"
    assert ids["create_task_sessions"] == "POST /api/tasks"
    assert ids["list_webhooks"] == "GET /admin/webhooks"
    assert ids["test_webhook"] == "POST /admin/webhooks/{webhook_id}/test"
    assert ids["revoke_access"] == "POST /admin/revocations"
    assert ids["purge_user"] == "DELETE /admin/users"


def test_tags_are_described_and_grouped_by_door_in_the_order_of_use(document: Document) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert list(tags) == [tag for door in DOORS for tag in door.tags]
    assert all(description.endswith(".") for description in tags.values())
    used = {tag for operation in operations(document) for tag in operation.content["tags"]}
    assert used == set(tags)
    grouped = [tag for group in document["x-tagGroups"] for tag in group["tags"]]
    assert grouped == list(tags)
    assert next(iter(tags)) == "commands"


def test_security_schemes_are_described_and_the_service_key_is_first(document: Document) -> None:
    schemes = document["components"]["securitySchemes"]
    assert next(iter(schemes)) == "ServiceKey"
    assert all(len(scheme["description"]) > 20 for scheme in schemes.values())


def test_values_to_paste_are_told_in_development_only() -> None:
    names = ("admin_api_key", "service_auth_token", "task_api_key", "better_auth_secret")
    secrets = {name: token_hex(32) for name in names}
    text = str(served(**secrets))
    assert not any(secret in text for secret in secrets.values())
    assert text.count("In development: ") == 1  # the service key's, which is always the same
    others = {name: token_hex(32) for name in ("api_key_secret", "jwt_secret")}
    closed = {"session_hash_secret": None, "encryption_key": None, "docs_enabled": True}
    staging = served(environment="staging", **secrets, **others, **closed)
    assert "In development: " not in str(staging)


def test_every_refusal_has_an_example_that_fits_its_schema(document: Document) -> None:
    for operation in operations(document):
        for status, content in shown(operation):
            schema = {**content["schema"], "components": document["components"]}
            assert content["example"], (operation.label, status)
            Draft202012Validator(schema).validate(content["example"])


def shown(operation: Operation) -> Iterator[tuple[int, Document]]:
    """The refusals of an operation but health's, which are no errors."""
    if not operation.path.startswith("/health"):
        yield from operation.refusals
