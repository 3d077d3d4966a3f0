"""Creates a task, retries safely, pages through a list and handles each error."""

import os
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx

URL = os.environ.get("URL", "http://localhost:8888")
KEY = os.environ.get("SERVICE_KEY", "sk_dev_test_key_12345678901234567890123456789012")
USER = "user_123"


class Refused(Exception):
    """The service said no, and would say it again."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body.get('code', '')}: {body['detail']}")
        self.status, self.code, self.body = status, body.get("code"), body


def execute(client: httpx.Client, action: str, **payload: Any) -> Any:
    """Performs an action once, however often it has to be sent."""
    command = {"action": action, "user_id": USER, "payload": payload}
    headers = {"X-Service-Key": KEY, "Idempotency-Key": str(uuid4())}
    for attempt in range(5):
        try:
            answer = client.post(f"{URL}/execute", json=command, headers=headers)
        except httpx.TransportError:  # it may have been performed: the key makes it safe to ask
            time.sleep(2**attempt / 10)
            continue
        if answer.is_success:
            return answer.json()["data"]
        body = answer.json()
        again = answer.status_code in (429, 500, 503) or body.get("code") == "already_running"
        if not again:
            raise Refused(answer.status_code, body)
        time.sleep(float(answer.headers.get("Retry-After", 2**attempt / 10)))
    raise TimeoutError("The service is not available")


def every_task(client: httpx.Client, **filters: Any) -> Iterator[Any]:
    """All tasks, page by page: none is skipped or repeated while others write."""
    page = execute(client, "list-tasks", limit=100, **filters)
    yield from page["tasks"]
    while page["next_cursor"]:
        page = execute(client, "list-tasks", limit=100, cursor=page["next_cursor"], **filters)
        yield from page["tasks"]


def main() -> None:
    with httpx.Client(timeout=10) as client:
        task = execute(client, "create-task", title="Buy cat food", priority="high")
        print(task["id"], [each["title"] for each in every_task(client, status="pending")])
        try:
            execute(client, "update-task", task_id=task["id"], status="fed")
        except Refused as refusal:
            match refusal.status:
                case 400:  # `errors` names the fields
                    print({error["field"] for error in refusal.body["errors"]})
                case 401 | 403:  # the key is unknown, or lacks the scope
                    raise SystemExit(str(refusal)) from None
                case 404 | 409:  # it is gone, or was changed by somebody else: read it again
                    print(execute(client, "list-tasks")["count"])
                case _:  # 413 and 422: the request is wrong, which is our own mistake
                    raise


if __name__ == "__main__":
    main()
