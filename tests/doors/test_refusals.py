"""The refusals that the document shows are those that are sent."""

from collections.abc import Iterator
from typing import Any

import pytest
from httpx import AsyncClient

from tests.conftest import MISSING_ID
from tests.support.accounts import NEW
from tests.support.document import Document, Operation, operations, pasted_headers, served

Headers = dict[str, str]
CATEGORY = "0199d1a8-7c1e-7b1f-9a53-2f6f0d6b7a11"


@pytest.fixture(scope="module")
def document() -> Document:
    return served()


@pytest.fixture
async def headers(client: AsyncClient, document: Document) -> dict[str, Headers]:
    """By security scheme, what opens it in development: pasted, or got by registering."""
    known = pasted_headers(document)
    known["ServiceAuth"] |= {"X-User-ID": "user_123"}
    registered = await client.post("/api/v1/auth/register", json=NEW)
    known["AccountToken"] = {"Authorization": f"Bearer {registered.json()['access_token']}"}
    return known


def guarded(document: Document) -> Iterator[tuple[Operation, list[str]]]:
    """The operations that ask for a credential, and the schemes that they accept."""
    for operation in operations(document):
        if security := operation.content.get("security"):
            yield operation, [name for scheme in security for name in scheme]


def example(operation: Operation, status: int) -> Any:
    return dict(operation.refusals)[status]["example"]


async def test_what_is_pasted_opens_every_door(
    client: AsyncClient, document: Document, headers: dict[str, Headers]
) -> None:
    opened = set()
    for operation, schemes in guarded(document):
        (scheme,) = set(schemes) & set(headers)
        if operation.method == "get":
            answer = await client.get(operation.url(str(MISSING_ID)), headers=headers[scheme])
            assert answer.status_code in {200, 404, 422}, operation.label
            opened.add(scheme)
    assert opened == set(headers)


async def test_without_a_credential(client: AsyncClient, document: Document) -> None:
    for operation, _ in guarded(document):
        answer = await client.request(operation.method, operation.url(str(MISSING_ID)))
        assert answer.status_code == 401, operation.label
        assert answer.json() == example(operation, 401), operation.label


async def test_what_is_not_there(
    client: AsyncClient, document: Document, headers: dict[str, Headers]
) -> None:
    found = 0
    for operation, schemes in guarded(document):
        documented = {status for status, _ in operation.refusals}
        absent = operation.method in {"get", "delete"} and "{" in operation.path
        if absent and 404 in documented and operation.path != "/api/{user_id}/tasks":
            (scheme,) = set(schemes) & set(headers)
            url = operation.url(str(MISSING_ID))
            url = url.replace(f"categories/{MISSING_ID}", f"categories/{CATEGORY}")
            answer = await client.request(operation.method, url, headers=headers[scheme])
            assert (answer.status_code, answer.json()) == (404, example(operation, 404)), url
            found += 1
    assert found > 10


async def test_what_is_malformed(
    client: AsyncClient, document: Document, headers: dict[str, Headers]
) -> None:
    """Nothing is sent, or an id that is none, an empty body, or nonsense in the query."""
    for operation, schemes in guarded(document):
        shown = dict(operation.refusals)
        status = next((status for status in (422, 400) if status in shown), None)
        if status is None or "not UTF-8" in str(shown[status]):
            continue
        (scheme,) = set(schemes) & set(headers)
        named = [
            one["name"] for one in operation.content.get("parameters", ()) if one["in"] == "query"
        ][:1]
        tries: list[tuple[Any, dict[str, str]]] = [({}, {}), ([], {})]
        tries += [(None, dict.fromkeys(named, nonsense)) for nonsense in ("1", "x", "\0")]
        for body, query in tries:
            answer = await client.request(
                operation.method,
                operation.url(str(MISSING_ID) if operation.body else "1"),
                headers=headers[scheme],
                json=body if operation.body else None,
                params=query,
            )
            if answer.status_code == status:
                break
        if operation.path == "/execute":
            answer = await client.post(
                "/execute", json={"action": "create-task"}, headers=headers[scheme]
            )
        assert (answer.status_code, answer.json()) == (status, example(operation, status)), (
            operation.label
        )


@pytest.mark.parametrize(
    ("status", "command"),
    [
        (400, {"action": "create-task", "user_id": "user_123"}),
        (404, {"action": "get-task", "user_id": "u", "payload": {"task_id": str(MISSING_ID)}}),
        (413, {"action": "create-task", "user_id": "u" * 1024 * 1024}),
    ],
)
async def test_a_command(
    client: AsyncClient,
    document: Document,
    headers: dict[str, Headers],
    status: int,
    command: Document,
) -> None:
    answer = await client.post("/execute", json=command, headers=headers["ServiceKey"])
    (execute,) = (each for each in operations(document) if each.path == "/execute")
    assert (answer.status_code, answer.json()) == (status, example(execute, status))


NO_PATH = {"detail": "Not Found", "code": "not_found"}
INVALID = {"code": "invalid_payload"}


async def test_a_path_that_does_not_exist_is_told_plainly_in_each_doors_shape(
    client: AsyncClient,
) -> None:
    for path, told in (
        ("/api/tasks/a/b/c", NO_PATH),
        ("/api/user-api-keys/a/b", NO_PATH),
        ("/api/v1/a/b/c", NO_PATH),
        ("/api/user_123/a/b", {**NO_PATH, "code": "NOT_FOUND"}),
        ("/users/a/b/c", {"success": False, "message": "Not Found"}),
        ("/stats/a", {"detail": "Not Found"}),
        ("/a", {"detail": "Not Found"}),
    ):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()) == (404, told), path


async def test_a_malformed_request_has_a_code_where_the_door_has_room(
    client: AsyncClient, headers: dict[str, Headers]
) -> None:
    for path, scheme, status in (
        ("/api/tasks", "ServiceAuth", 422),
        ("/api/user-api-keys", "ServiceAuth", 422),
        ("/api/v1/tasks", "AccountToken", 400),
        ("/api/v1/categories", "AccountToken", 400),
    ):
        answer = await client.post(path, json={}, headers=headers[scheme])
        assert (answer.status_code, answer.json()) == (status, answer.json() | INVALID), path


async def test_what_http_has_a_status_for_has_no_code(client: AsyncClient) -> None:
    for path in ("/api/tasks", "/api/v1/tasks", "/stats"):
        for method, status in (("PUT", 405), ("GET", 401)):
            answer = await client.request(method, path, params={"user_id": "user_123"})
            assert (answer.status_code, list(answer.json())) == (status, ["detail"]), path
