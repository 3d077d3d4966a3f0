"""Receives webhooks: verifies each, acts once on it, and fetches from the feed what is missing."""

import json
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.request import Request, urlopen

from standardwebhooks import Webhook, WebhookVerificationError

STATE = sqlite3.connect(os.environ.get("STATE", "webhooks.db"))
STATE.execute("CREATE TABLE IF NOT EXISTS seen (id PRIMARY KEY)")
STATE.execute("CREATE TABLE IF NOT EXISTS known (user_id PRIMARY KEY, sequence, cursor)")


def act(kind: str, data: Any) -> None:
    print(kind, data.get("user_id"), data.get("sequence"), flush=True)  # your own work


def missing(user_id: str, cursor: str) -> Any:
    payload = {"cursor": cursor, "limit": 500}
    command = {"action": "list-changes", "user_id": user_id, "payload": payload}
    headers = {"X-Service-Key": os.environ["KEY"], "Content-Type": "application/json"}
    request = Request(f"{os.environ['URL']}/execute", json.dumps(command).encode(), headers)
    return json.load(urlopen(request, timeout=5))["data"]["changes"]


def take(kind: str, data: Any) -> None:
    if not kind.startswith("task."):
        return act(kind, data)
    row = STATE.execute("SELECT sequence, cursor FROM known WHERE user_id = ?", [data["user_id"]])
    known, cursor = row.fetchone() or (data["sequence"] - 1, data["cursor"])
    is_hole = data["sequence"] > known + 1
    for change in missing(data["user_id"], cursor) if is_hole else [{"type": kind, **data}]:
        if change["sequence"] > known:
            act(change["type"], {"user_id": data["user_id"], **change})
            known = change["sequence"]
    new = [data["user_id"], known, data["cursor"] if known >= data["sequence"] else cursor]
    STATE.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?)", new)
    return None


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body, status = self.rfile.read(int(self.headers["Content-Length"])), 204
        try:
            event = Webhook(os.environ["SECRET"]).verify(body, dict(self.headers))
            with STATE:  # what is done is seen: both or neither
                seen = "INSERT OR IGNORE INTO seen VALUES (?)"
                if STATE.execute(seen, [self.headers["webhook-id"]]).rowcount:
                    take(event["type"], event["data"])
        except WebhookVerificationError:
            status = 401
        self.send_response(status)
        self.end_headers()


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver).serve_forever()
