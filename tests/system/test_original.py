"""What the API's original document prints works as printed."""

import json
import re
import subprocess
from typing import Any
from uuid import uuid4

from app.config import DEVELOPMENT_ADMIN_KEY
from app.services.keys import DEVELOPMENT_KEY
from tests.support.pages import assert_alike

TASK = {
    "id": "550e8400-e29b-41d4-a716-446655440000",
    "user_id": "user_123",
    "title": "Buy cat food",
    "description": "Salmon flavor, 2kg bag",
    "status": "pending",
    "priority": "high",
    "created_at": "2025-11-12T10:30:00Z",
    "completed_at": None,
    "due_date": "2025-11-20T10:00:00Z",
}
STATS = {
    "total_tasks": 10,
    "pending_tasks": 3,
    "in_progress_tasks": 2,
    "completed_tasks": 5,
    "completion_rate": 50.0,
    "overdue_tasks": 2,
}


def curl(*arguments: str) -> tuple[int, Any]:
    """The status and JSON of one request, made as a reader of the documents makes it."""
    done = subprocess.run(
        ["curl", "-s", "-w", "\n%{http_code}", *arguments], capture_output=True, check=True
    )
    body, _, status = done.stdout.decode().rpartition("\n")
    return int(status), json.loads(body) if body else None


def execute(service: str, action: str, **payload: Any) -> tuple[int, Any]:
    command = {"action": action, "user_id": "user_123", "payload": payload}
    return curl(
        *("-X", "POST", f"{service}/execute"),
        *("-H", f"X-Service-Key: {DEVELOPMENT_KEY}", "-H", "Content-Type: application/json"),
        *("-d", json.dumps(command)),
    )


def admin(service: str, path: str, body: object) -> tuple[int, Any]:
    return curl(
        *("-X", "POST", f"{service}/admin/{path}", "-H", f"X-Admin-Key: {DEVELOPMENT_ADMIN_KEY}"),
        *("-H", "Content-Type: application/json", "-d", json.dumps(body)),
    )


def assert_answers(answer: tuple[int, Any], data: object) -> Any:
    status, body = answer
    assert status == 200, body
    envelope = {"success": True, "data": data, "error": None, "timestamp": TASK["created_at"]}
    assert_alike(body, envelope)
    assert body["success"] is True
    assert body["error"] is None
    return body["data"]


def test_every_command_of_the_document_answers_as_printed(service: str) -> None:
    first = execute(service, "create-task", title="Buy milk", priority="high")
    assert assert_answers(first, TASK)["status"] == "pending"
    given = {
        "title": "Buy cat food",
        "description": "Salmon flavor, 2kg bag",
        "priority": "high",
        "due_date": "2025-11-20T10:00:00Z",
    }
    task = assert_answers(execute(service, "create-task", **given), TASK)
    assert {name: task[name] for name in given} == given

    listed = assert_answers(execute(service, "list-tasks"), {"tasks": [TASK], "count": 2})
    assert [listed["tasks"][0], listed["count"]] == [task, 2]
    pending = execute(service, "list-tasks", status="pending")
    assert assert_answers(pending, {"tasks": [TASK], "count": 2})["count"] == 2

    task_id = task["id"]
    assert assert_answers(execute(service, "get-task", task_id=task_id), TASK) == task
    renamed = execute(service, "update-task", task_id=task_id, title="Buy cat food - Updated")
    assert assert_answers(renamed, TASK) == task | {"title": "Buy cat food - Updated"}
    completed = execute(service, "update-task", task_id=task_id, status="completed")
    assert assert_answers(completed, TASK)["completed_at"] is not None

    stats = assert_answers(execute(service, "get-stats"), STATS)
    assert [stats["total_tasks"], stats["completion_rate"]] == [2, 50.0]
    key = ("-H", f"X-Service-Key: {DEVELOPMENT_KEY}")
    assert curl(f"{service}/stats?user_id=user_123", *key) == (200, stats)

    deleted = assert_answers(
        execute(service, "delete-task", task_id=task_id), {"success": True, "deleted_id": "id"}
    )
    assert deleted == {"success": True, "deleted_id": task_id}
    again = execute(service, "delete-task", task_id=task_id)
    assert again == (404, {"detail": f"Task not found: {task_id}", "code": "not_found"})


def test_every_error_of_the_document_answers_as_printed(service: str) -> None:
    unknown = execute(service, "nonexistent-action")
    assert unknown == (404, {"detail": "Unknown action: nonexistent-action"})
    assert execute(service, "get-task")[1]["detail"] == "Missing required field: task_id"
    assert execute(service, "get-task", task_id="x")[0] == 400
    nothing = execute(service, "update-task", task_id=str(uuid4()))
    assert (nothing[0], nothing[1]["detail"]) == (400, "No fields provided for update")
    assert execute(service, "create-task", title="x", status="done")[0] == 400
    assert curl("-X", "POST", f"{service}/execute", "-d", "{}")[0] == 401


def test_a_user_without_tasks_has_zeros(service: str) -> None:
    key = ("-H", f"X-Service-Key: {DEVELOPMENT_KEY}")
    answer = curl(f"{service}/stats?user_id=newcomer", *key)
    assert answer == (200, dict.fromkeys(STATS, 0))


def test_keys_are_created_and_rotated_as_printed(service: str) -> None:
    status, created = admin(
        service, "service-keys", {"key_name": "cat-house-prod", "environment": "prod"}
    )
    assert status == 201
    assert list(created) == [
        *("id", "key_name", "service_key", "created_at"),
        *("scopes", "enforce_ownership", "expires_at"),  # what holds, beside what is printed
    ]
    assert re.fullmatch("sk_prod_[0-9a-f]{64}", created["service_key"])
    status, rotated = admin(service, "rotate-key", {"key_name": "cat-house-prod"})
    assert (status, list(rotated)) == (200, ["new_key", "old_key_expires_at"])
    assert admin(service, "rotate-key", {"key_name": "unknown-name"})[0] == 404
    assert admin(service, "rotate-key", {})[0] == 422


def test_preflight_answers_as_printed(service: str) -> None:
    done = subprocess.run(
        [
            *("curl", "-s", "-D", "-", "-o", "/dev/null", "-X", "OPTIONS", f"{service}/health"),
            *("-H", "Origin: http://localhost:3000"),
            *("-H", "Access-Control-Request-Method: POST"),
            *("-H", "Access-Control-Request-Headers: X-Service-Key, Content-Type"),
        ],
        capture_output=True,
        check=True,
    )
    status, *headers = done.stdout.decode().strip().split("\r\n")
    assert status == "HTTP/1.1 200 OK"
    answered = {name.lower(): value for name, value in (line.split(": ", 1) for line in headers)}
    assert (
        answered.items()
        >= {
            "access-control-allow-origin": "http://localhost:3000",
            "access-control-allow-methods": "GET, POST, PATCH, DELETE, OPTIONS",
            "access-control-allow-headers": "X-Service-Key, Content-Type",
            "access-control-allow-credentials": "true",
        }.items()
    )
