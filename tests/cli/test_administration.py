"""Administration from the command line: the same acts, and the same trail, as by HTTP."""

import json
from pathlib import Path
from typing import Any

import asyncpg

from app.models.task import TaskFields
from app.services import tasks
from tests.conftest import ADMIN_HEADERS, MISSING_ID, OPEN_DOORS, SERVICE_HEADERS
from tests.support.application import talking_to
from tests.system.test_cli import all_of, assert_one_clear_line, call, folder, result_of

__all__ = ["folder"]


async def test_acts_at_the_command_line_are_as_by_http(folder: Path, database_url: str) -> None:
    def run(*arguments: str) -> list[Any]:
        text = result_of(*arguments, folder=folder, DATABASE_URL=database_url)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    db = await asyncpg.connect(database_url)
    task = await tasks.insert_task(db, "user_123", TaskFields(title="Feed cat"))
    limits = ("--note", "An app", "--rate-limit", "600/minute", "--user-id", "user_123")
    [minted] = run("keys", "create", "cat-house", *limits, "--scope", "tasks:read")
    [changed] = run("keys", "change", minted["id"], "--note", "Another", "--clear", "user_ids")
    [shown] = run("keys", "show", minted["id"])
    assert shown == {**changed, "usage": []}
    assert (shown["note"], shown["rate_limit"]) == ("Another", "600/minute")
    assert (shown["user_ids"], shown["scopes"]) == (None, ["tasks:read"])
    [revocation] = run("revocations", "create", "--user-id", "user_123", "--reason", "stolen")
    assert run("revocations", "list", "--json") == [revocation]
    [exported] = run("users", "export", "user_123")
    assert [one["id"] for one in exported["tasks"]] == [str(task.id)]
    command = {"action": "get-stats", "user_id": "user_123"}
    async with talking_to(database_url, **OPEN_DOORS) as client:
        refused = await client.post("/execute", json=command, headers=SERVICE_HEADERS)
        assert refused.json()["code"] == "installation_revoked"
        run("revocations", "lift", revocation["id"])
        [purged] = run("users", "purge", "user_123", "--yes")
        assert purged == {"user_id": "user_123", "sequence": 2, "removed": purged["removed"]}
        assert purged["removed"] == {"tasks": 1, "changes": 1}
        trail = (await client.get("/admin/audit", headers=ADMIN_HEADERS)).json()["acts"]
    assert [act["act"] for act in reversed(trail)] == [
        *("key.created", "key.changed", "revocation.created", "user.exported"),
        *("revocation.lifted", "user.purged"),
    ]
    assert {act["administrator"].partition(":")[0] for act in trail} == {"cli"}
    assert all(act["address"] for act in trail)
    assert run("audit", "--json", "--limit", "2") == trail[:2]
    await db.close()


def test_unusable_command_is_one_clear_line(folder: Path, database_url: str) -> None:
    refused = {
        f"keys show {MISSING_ID}": "not found",
        f"keys change {MISSING_ID} --note x": "not found",
        f"keys change {MISSING_ID}": "No fields provided",
        f"keys change {MISSING_ID} --rate-limit fast": "rate_limit",
        f"revocations lift {MISSING_ID}": "not found",
        "revocations create --reason stolen": "user_id, installation_id or key_name",
        "revocations create --reason x --user-id u --until 2020-01-01": "must lie in the future",
        f"users export {'x' * 256}": "user_id",
    }
    answers = all_of([*refused], folder, DATABASE_URL=database_url)
    for finished, said in zip(answers, refused.values(), strict=True):
        assert_one_clear_line(finished, said)


def test_nobody_is_purged_without_a_yes(folder: Path, database_url: str) -> None:
    finished = call("users", "purge", "user_123", folder=folder, DATABASE_URL=database_url)
    assert finished.returncode == 1
    assert "Aborted" in finished.stderr
