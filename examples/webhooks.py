"""Receives webhooks. An event of a task is a bell: what is acted on, once each, is in the feed.

SECRET is the webhook's, KEY a service key with `tasks:read`, URL the service's.
"""

import json
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from standardwebhooks import Webhook, WebhookVerificationError

STATE = sqlite3.connect(os.environ.get("STATE", "webhooks.db"))
STATE.execute("CREATE TABLE IF NOT EXISTS done (id PRIMARY KEY)")
STATE.execute("CREATE TABLE IF NOT EXISTS followed (user_id PRIMARY KEY, cursor)")


def act(kind: str, data: Any) -> None:  # your own work: of tasks, kinds that you skip come too
    print(kind, data.get("user_id"), data.get("sequence"), flush=True)


def start(user_id: str, tasks: Any) -> None:  # your own work: the user has these tasks, no others
    print("start", user_id, len(tasks), flush=True)


def call(action: str, user_id: str, payload: Any = None, options: Any = None) -> Any:
    command = {"action": action, "user_id": user_id, "payload": payload or {}}
    body = json.dumps({**command, "options": options or {}}).encode()
    headers = {"X-Service-Key": os.environ["KEY"], "Content-Type": "application/json"}
    with urlopen(Request(f"{os.environ['URL']}/execute", body, headers), timeout=5) as answer:
        return json.load(answer)["data"]


def act_once(message: str, kind: str, data: Any) -> None:
    if STATE.execute("INSERT OR IGNORE INTO done VALUES (?)", [message]).rowcount:
        act(kind, data)


def remember(user_id: str, cursor: str) -> None:
    STATE.execute("INSERT OR REPLACE INTO followed VALUES (?, ?)", [user_id, cursor])


def start_anew(user_id: str) -> None:
    cursor = call("list-changes", user_id)["cursor"]  # before the tasks, so that none is missed
    options = {"include": ["tags", "updated_at", "version"]}
    tasks = call("list-tasks", user_id, options=options)["tasks"]
    with STATE:
        start(user_id, tasks)
        remember(user_id, cursor)


def follow(user_id: str, cursor: str) -> None:
    has_more = True
    while has_more:
        try:
            page = call("list-changes", user_id, {"cursor": cursor, "limit": 500})
        except HTTPError as error:
            if error.code != 410:
                raise
            return start_anew(user_id)  # away for too long, or the user was purged
        cursor, has_more = page["cursor"], page["has_more"]
        with STATE:  # what is acted on is noted: both or neither
            for change in page["changes"]:
                told = {"user_id": user_id, **change}
                act_once(f"{user_id} {change['sequence']}", change["type"], told)
            remember(user_id, cursor)
    return None


def is_done(message: str) -> bool:
    return bool(STATE.execute("SELECT 1 FROM done WHERE id = ?", [message]).fetchone())


def catch_up(user_id: str, cursor: str, message: str) -> None:
    row = STATE.execute("SELECT cursor FROM followed WHERE user_id = ?", [user_id]).fetchone()
    if row is None:
        start_anew(user_id)
    elif not is_done(message):
        follow(user_id, row[0])
    if not is_done(message):  # it is from before where we stood or started
        follow(user_id, cursor)


def receive(message: str, kind: str, data: Any) -> None:
    if kind.startswith("task."):
        return catch_up(data["user_id"], data["cursor"], f"{data['user_id']} {data['sequence']}")
    with STATE:
        act_once(message, kind, data)
    if kind == "user.purged":  # and may be back already
        start_anew(data["user_id"])
    return None


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body, status = self.rfile.read(int(self.headers["Content-Length"])), 204
        try:
            event = Webhook(os.environ["SECRET"]).verify(body, dict(self.headers))
            receive(self.headers["webhook-id"], event["type"], event["data"])
        except WebhookVerificationError:
            status = 401
        except OSError:  # the feed is out of reach: the event comes again
            status = 503
        self.send_response(status)
        self.end_headers()


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver).serve_forever()
