"""A batch is no way round what an export leaves behind, or a purge must not."""

import pytest
from httpx import AsyncClient

from tests.conftest import ADMIN_HEADERS
from tests.doors.admin.test_keys import create as mint
from tests.support.batches import command, create, each_mode, send_batch


@pytest.fixture
async def key(live_client: AsyncClient) -> dict[str, str]:
    """Headers of a key that may export, purge and write."""
    scopes = ["users:export", "users:purge", "tasks:write"]
    minted = await mint(live_client, key_name="privacy", scopes=scopes)
    return {"X-Service-Key": minted.json()["service_key"]}


@each_mode
async def test_nobody_exports_without_a_trace_by_rehearsing_a_batch(
    live_client: AsyncClient, key: dict[str, str], mode: str
) -> None:
    await send_batch(live_client, create("c", "Top secret"), headers=key)
    export = command("e", "export-user")
    refused = await send_batch(live_client, export, mode=mode, headers=key, dry_run=True)
    assert (refused.status_code, refused.json()["code"]) == (400, "dry_run_unsupported")
    assert "Top secret" not in refused.text
    answer = await send_batch(live_client, export, mode=mode, headers=key)
    assert (answer.status_code, "Top secret" in answer.text) == (200, True)
    trail = (await live_client.get("/admin/audit", headers=ADMIN_HEADERS)).json()["acts"]
    acts = [one["act"] for one in trail if one["object"] == "user/user_123"]
    assert acts == ["user.exported"]


async def test_a_purge_leaves_no_answer_of_what_was_in_its_batch(
    live_client: AsyncClient, key: dict[str, str]
) -> None:
    secret, purge = create("c", "Top secret"), command("p", "purge-user")
    refused = await send_batch(live_client, secret, purge, headers=key)
    assert (refused.status_code, refused.json()["index"]) == (400, 1)
    assert refused.json()["detail"].startswith("commands[1]: action: forgets what was answered")
    answer = await send_batch(live_client, secret, purge, mode="independent", headers=key)
    assert [one["status"] for one in answer.json()["data"]["results"]] == [200, 200]
    export = await send_batch(live_client, command("e", "export-user"), headers=key)
    assert (export.status_code, "Top secret" in export.text) == (200, False)
    assert (await send_batch(live_client, purge, headers=key)).status_code == 200
