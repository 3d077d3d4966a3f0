"""The page of administrators, as it is served."""

import re
from hashlib import sha256
from typing import Any

import pytest
from httpx import AsyncClient

from app import __version__
from app.config import Settings
from app.doors.admin.console import pages
from tests.conftest import ADMIN_HEADERS
from tests.support.application import talking_to

VENDORED = {
    "preact-10.29.8.js": "134b77bc803fa38661dc1b1e44e96eb0bb6a1a00edbb96d34dcde421b2e80b06",
    "preact-hooks-10.29.8.js": "5c29238e5dc99df306d7f7fff038591a397cfcfabb59f81fbdef43d670aa0566",
    "htm-3.1.1.js": "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4",
}


async def test_nothing_runs_or_loads_but_its_own_files(client: AsyncClient) -> None:
    page = await client.get("/admin/console")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "://" not in page.text.replace("http://www.w3.org/", "")
    scripts = re.findall(r'<script [^>]*src="/admin/console/[\w.-]+"></script>', page.text)
    assert len(scripts) == page.text.count("<script")
    for name, (content, media_type) in pages._FILES.items():
        answer = await client.get(f"/admin/console/{name}")
        assert (answer.content, answer.headers["content-type"].split(";")[0]) == (
            content,
            media_type,
        )
        assert answer.headers["content-security-policy"] == policy
        headers = {"If-None-Match": answer.headers["etag"]}
        again = await client.get(f"/admin/console/{name}", headers=headers)
        assert again.status_code == 304


async def test_no_other_site_embeds_it_or_learns_where_one_came_from(client: AsyncClient) -> None:
    for path in ("", "/console.js", "/icon.svg"):
        headers = (await client.get(f"/admin/console{path}")).headers
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "private, no-cache"


async def test_every_script_is_asked_for_at_once(client: AsyncClient) -> None:
    page = (await client.get("/admin/console")).text
    modules = {name for name in pages._FILES if name.endswith(".js")}
    assert set(re.findall(r'/admin/console/([\w.-]+\.js)"', page)) == modules


async def test_whoever_gets_what_others_wrote_gets_their_licences(client: AsyncClient) -> None:
    licences = (await client.get("/admin/console/LICENSES.txt")).text
    assert all(name in licences for name in VENDORED)
    assert "Apache License" in licences
    assert "The MIT License" in licences


async def test_what_is_no_file_of_it_is_404(client: AsyncClient) -> None:
    for name in ("pages.py", "nothing.js", "..%2fpages.py"):
        assert (await client.get(f"/admin/console/{name}")).status_code == 404


def test_it_is_small_and_what_others_wrote_is_as_they_wrote_it() -> None:
    assert sum(len(content) for content, _ in pages._FILES.values()) < 150_000
    for name, digest in VENDORED.items():
        assert sha256(pages._FILES[name][0]).hexdigest() == digest


@pytest.mark.parametrize(
    ("environment", "wanted", "opened"),
    [
        ("development", None, True),
        ("development", False, False),
        ("staging", None, True),
        ("production", None, False),
        ("production", True, True),
    ],
)
def test_it_is_closed_in_production_unless_asked_for(
    environment: Any, wanted: bool | None, opened: bool
) -> None:
    settings = Settings.model_construct(environment=environment, console_enabled=wanted)
    assert settings.serves_console is opened


async def test_where_it_is_closed_there_is_nothing(shared_url: str) -> None:
    async with talking_to(shared_url, console_enabled=False) as client:
        for path in ("/admin/console", "/admin/console/console.js"):
            assert (await client.get(path)).status_code == 404


async def test_status_tells_version_doors_schema_and_scopes(client: AsyncClient) -> None:
    status = (await client.get("/admin/status", headers=ADMIN_HEADERS)).json()
    assert (status["version"], status["environment"]) == (__version__, "development")
    assert {"commands", "admin", "console"} <= set(status["doors"])
    assert status["schema"]["revision"] == status["schema"]["needed"]
    assert (status["schema"]["fault"], status["consumers"]) == (None, [])
    assert {"*", "tasks:read", "users:purge"} <= set(status["scopes"])
    assert {"*", "task.created", "user.purged"} <= set(status["events"])
