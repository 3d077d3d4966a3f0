"""Service keys from the command line."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx

from app.config import Settings
from app.main import create_app
from tests.conftest import MISSING_ID
from tests.system.test_cli import all_of, assert_one_clear_line, folder, result_of

__all__ = ["folder"]


async def test_keys_are_created_listed_rotated_and_revoked(folder: Path, database_url: str) -> None:
    def keys(*arguments: str) -> list[Any]:
        text = result_of("keys", *arguments, folder=folder, DATABASE_URL=database_url)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    app = create_app(Settings(database_url=database_url, log_level="ERROR"))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):

        async def status_with(key: str) -> int:
            return (await client.get("/actions", headers={"X-Service-Key": key})).status_code

        [created] = keys("create", "cat-house", "--scope", "tasks:read", "--scope", "get-stats")
        old = created["service_key"]
        assert re.fullmatch("sk_prod_[0-9a-f]{64}", old)
        [listed] = keys("list", "--json")
        assert (listed["last_four"], listed["scopes"]) == (old[-4:], ["tasks:read", "get-stats"])
        assert old not in json.dumps(listed)
        [rotated] = keys("rotate", "cat-house", "--expires-at", "2120-01-01", "--grace", "3600")
        assert [await status_with(key) for key in (old, rotated["new_key"])] == [200, 200]
        keys("revoke", created["id"])
        await asyncio.sleep(1)
        assert [await status_with(key) for key in (old, rotated["new_key"])] == [401, 200]
        current, revoked = keys("list", "--json")
        assert (current["state"], revoked["state"]) == ("active", "revoked")
        assert current["expires_at"] == "2120-01-01T00:00:00Z"
        heading, *rows = result_of(
            "keys", "list", folder=folder, DATABASE_URL=database_url
        ).splitlines()
        assert heading.split()[:3] == ["NAME", "KEY", "STATE"]
        assert [row.split()[2] for row in rows] == ["active", "revoked"]
        assert created["id"] in rows[1]


def test_unusable_key_command_is_one_clear_line(folder: Path, database_url: str) -> None:
    refused = {
        "rotate unknown": "not found",
        "rotate Un.known": "not found",
        f"revoke {MISSING_ID}": "not found",
        "create Bad_Name": "key_name",
        "create abc --scope tasks:fly": "scopes",
        "create abc --expires-at tomorrow": "expires_at",
        "create abc --expires-at 2020-01-01": "must lie in the future",
        "rotate taken --expires-at 2020-01-01": "must lie in the future",
        "create taken": "already exists",
    }
    result_of("keys", "create", "taken", folder=folder, DATABASE_URL=database_url)
    commands = [f"keys {command}" for command in refused]
    answers = all_of(commands, folder, DATABASE_URL=database_url)
    for finished, said in zip(answers, refused.values(), strict=True):
        assert_one_clear_line(finished, said)
