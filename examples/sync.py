"""Keeps a copy of a user's tasks, also while the service is out of reach."""

import json
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

DECIDED = {400, 404, 409, 410, 422}  # by the action itself; a 404 without a code: no such action


class Refused(Exception):
    """Not let in (401, 403), too large (413), or the wrong address: sending again does not help."""


class SyncedTasks:
    def __init__(self, url: str, key: str, user_id: str) -> None:
        self.url, self.key, self.user_id = url, key, user_id
        self.tasks: dict[str, Any] = {}
        self.cursor: str | None = None
        self.queue: list[Any] = []

    def change(self, action: str, **payload: Any) -> None:
        """Works offline: the key makes sure that it happens once, however often it is sent."""
        self.queue.append((action, payload, {"idempotency_key": uuid4().hex}))

    def sync(self) -> None:
        """Sends what is queued, then learns what changed. OSError while offline: call it again.

        Refused when that does not help: mend the cause. What is queued stays queued.
        """
        while self.queue:
            self._send(*self.queue[0])  # a "no" is an answer too: the server has the last word
            self.queue.pop(0)
        if self.cursor is None:  # in this order, so that nothing written meanwhile is missed
            cursor = self._send("list-changes")["data"]["cursor"]
            options = {"include": ["tags", "updated_at", "version"]}  # as the feed shows them
            listed = self._send("list-tasks", options=options)["data"]["tasks"]
            self.tasks, self.cursor = {task["id"]: task for task in listed}, cursor
        more = True
        while more:
            answer = self._send("list-changes", {"cursor": self.cursor, "limit": 500})
            if answer.get("code") == "cursor_expired":  # away for too long: start anew
                self.cursor = None
                self.sync()
                return
            for change in answer["data"]["changes"]:
                self.tasks.pop(change["task_id"], None)
                if change["task"]:
                    self.tasks[change["task_id"]] = change["task"]
            self.cursor, more = answer["data"]["cursor"], answer["data"]["has_more"]

    def _send(self, action: str, payload: Any = None, options: Any = None) -> Any:
        command = {"action": action, "user_id": self.user_id, "payload": payload or {}}
        body = json.dumps({**command, "options": options or {}}).encode()
        headers = {"Content-Type": "application/json", "X-Service-Key": self.key}
        while True:
            try:
                return json.load(urlopen(Request(f"{self.url}/execute", body, headers), timeout=5))
            except HTTPError as error:
                told = error.read()
                if error.code >= 500 or "Retry-After" in error.headers:
                    time.sleep(float(error.headers.get("Retry-After", 1)))
                elif error.code not in DECIDED or (error.code == 404 and b'"code"' not in told):
                    raise Refused(error.code, told.decode()) from error
                else:
                    return json.loads(told)
