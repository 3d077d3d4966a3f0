"""A schema that does not suit the version: said once, refused clearly, mended without a restart."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
import structlog
from alembic.script import ScriptDirectory
from httpx import AsyncClient
from structlog.testing import LogCapture

from alembic import command
from app.database.migrations import alembic_config, check, upgrade
from app.database.schema import NEEDED, find_fault
from app.errors import Conflict
from app.services import Connection
from tests.conftest import SERVICE_HEADERS
from tests.database.test_migrations import _SCHEMA, column
from tests.support import original
from tests.support.application import talking_to
from tests.support.databases import create_clone
from tests.support.service import ROOT, ended, environment

LISTING = {"action": "list-tasks", "user_id": "user_123"}
NEWER = "UPDATE alembic_version SET version_num = '9999'"
Lines = Sequence[MutableMapping[str, Any]]


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    with create_clone(server_url, "template0") as url:
        yield url


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    """What the service says of its database."""
    capture = LogCapture()
    everything = structlog.make_filtering_bound_logger("DEBUG")
    monkeypatch.setattr("app.database.logger", structlog.wrap_logger(None, [capture], everything))
    return capture.entries


async def run(url: str, statement: str) -> None:
    db = await asyncpg.connect(url)
    await db.execute(statement)
    await db.close()


async def downgrade(url: str) -> None:
    await asyncio.to_thread(command.downgrade, alembic_config(url), "-1")


async def answers(client: AsyncClient) -> tuple[int, str]:
    answer = await client.post("/execute", json=LISTING, headers=SERVICE_HEADERS)
    return answer.status_code, answer.json().get("detail", "")


async def readiness(client: AsyncClient, path: str = "/health/ready") -> tuple[int, object]:
    answer = await client.get(path)
    return answer.status_code, answer.json().get("reason")


def needs(found: str) -> str:
    return f"schema is at {found}, needs {NEEDED}: python -m app migrate"


def test_the_service_needs_the_latest_revision() -> None:
    scripts = ScriptDirectory.from_config(alembic_config("postgresql://"))
    assert scripts.get_current_head() == NEEDED


def test_serving_loads_no_library_of_the_migrations() -> None:
    program = "import sys, app.main; print({'alembic', 'sqlalchemy'} & {*sys.modules})"
    printed = subprocess.check_output([sys.executable, "-c", program], env=environment(), text=True)
    assert printed == "set()\n"


@asynccontextmanager
async def unsuited(url: str, found: str, lines: Lines) -> AsyncIterator[None]:
    """A service that refuses what needs a database until it is migrated meanwhile."""
    async with talking_to(url) as client:
        assert [line["reason"] for line in lines] == [needs(found)]
        for path in ("/health", "/health/ready"):
            assert (await client.get(path)).json() == {
                "status": "unhealthy",
                "database": "unusable",
                "reason": needs(found),
            }
            assert await readiness(client, path) == (503, needs(found))
        assert [await answers(client) for _ in range(3)] == [(503, needs(found))] * 3
        assert (await client.post("/execute", json=LISTING)).status_code == 401
        assert (await client.get("/health/live")).status_code == 200
        yield
        await asyncio.sleep(1)
        assert (await answers(client))[0] == 200
        assert (await readiness(client))[0] == 200
    assert [line["event"] for line in lines] == ["schema_unusable", "schema_usable"]


async def test_an_empty_database_is_named_until_it_is_migrated(
    empty_url: str, lines: Lines
) -> None:
    async with unsuited(empty_url, "no revision", lines):
        assert await asyncio.to_thread(upgrade, empty_url) == f"no revision → {NEEDED}"


async def test_an_older_schema_is_named_until_it_is_migrated(
    database_url: str, lines: Lines
) -> None:
    await downgrade(database_url)
    [older] = await column(database_url, "SELECT version_num FROM alembic_version")
    async with unsuited(database_url, older, lines):
        assert await asyncio.to_thread(upgrade, database_url) == f"{older} → {NEEDED}"


async def test_the_originals_schema_is_named_until_it_is_adopted(
    empty_url: str, lines: Lines
) -> None:
    await run(empty_url, original.SCHEMA + original.ALEMBIC)
    async with unsuited(empty_url, "3d76e0c7a711", lines):
        assert "adopted" in await asyncio.to_thread(upgrade, empty_url)


async def test_a_newer_schema_is_served(database_url: str, lines: Lines) -> None:
    await run(database_url, NEWER)
    async with talking_to(database_url) as client:
        assert (await readiness(client))[0] == 200
        assert (await answers(client))[0] == 200
    assert not lines


async def test_a_table_that_goes_while_serving_is_no_unexpected_error(
    database_url: str, lines: Lines
) -> None:
    async with talking_to(database_url) as client:
        assert (await answers(client))[0] == 200
        await run(database_url, "ALTER TABLE tasks RENAME TO hidden")
        assert (await answers(client))[0] == 503
        await asyncio.sleep(1)
        reason = f"schema is at {NEEDED}, but has no tasks"
        assert [await answers(client) for _ in range(3)] == [(503, reason)] * 3
        assert await readiness(client) == (503, reason)
        await run(database_url, "ALTER TABLE hidden RENAME TO tasks")
        await asyncio.sleep(1)
        assert (await answers(client))[0] == 200
    assert [line["event"] for line in lines] == ["schema_unusable", "schema_usable"]


async def test_what_the_role_may_not_read_is_no_unexpected_error(
    database_url: str, lines: Lines
) -> None:
    async with talking_to(database_url) as client:
        await run(
            database_url,
            "CREATE FUNCTION deny() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE insufficient_privilege; END $$; "
            "CREATE TRIGGER deny BEFORE INSERT ON tasks EXECUTE FUNCTION deny()",
        )
        create = {**LISTING, "action": "create-task", "payload": {"title": "Feed cat"}}
        answer = await client.post("/execute", json=create, headers=SERVICE_HEADERS)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json()["success"] is False
        assert (await answers(client))[0] == 200


async def test_any_role_may_read_the_revision(db: Connection) -> None:
    await db.execute("CREATE ROLE least_privileged; SET LOCAL ROLE least_privileged")
    assert await find_fault(db) is None


async def test_an_unreadable_revision_is_a_reason(db: Connection) -> None:
    await db.execute("REVOKE SELECT ON alembic_version FROM PUBLIC")
    await db.execute("CREATE ROLE least_privileged; SET LOCAL ROLE least_privileged")
    fault = await find_fault(db)
    assert fault == "schema cannot be read: permission denied for table alembic_version"


@pytest.fixture
def old_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL 15, as far as anybody is told."""
    version = SimpleNamespace(major=15, minor=4)
    monkeypatch.setattr(asyncpg.Connection, "get_server_version", lambda _: version)


@pytest.mark.usefixtures("old_server")
async def test_migrate_refuses_an_old_postgresql(empty_url: str) -> None:
    for attempt in (upgrade, check):
        with pytest.raises(Conflict, match="PostgreSQL 15 is too old: 16 or later is needed"):
            await asyncio.to_thread(attempt, empty_url)
    assert await column(empty_url, _SCHEMA) == []


@pytest.mark.usefixtures("old_server")
async def test_an_old_postgresql_is_named_at_the_start(database_url: str, lines: Lines) -> None:
    async with talking_to(database_url) as client:
        assert [line["event"] for line in lines] == ["postgresql_too_old"]
        await asyncio.sleep(1)
        await readiness(client)
    assert len(lines) == 1


def migrate(folder: Path, url: str, *options: str) -> tuple[int, str]:
    """`python -m app migrate` of the version in the folder."""
    env = environment(DATABASE_URL=url, PYTHONPATH=str(folder))
    if folder == ROOT:
        finished = ended("migrate", *options, env=env, folder=folder)
    else:
        finished = subprocess.run(
            [sys.executable, "-m", "app", "migrate", *options],
            env=env,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    assert len((finished.stdout + finished.stderr).splitlines()) == 1
    return finished.returncode, finished.stdout.strip() or finished.stderr.strip()


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """This version with one more revision."""
    for name in ("app", "alembic", "alembic.ini"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    (tmp_path / "alembic" / "versions" / "9000_more.py").write_text(f"""
from alembic import op
revision, down_revision, branch_labels, depends_on = "9000", "{NEEDED}", None, None
def upgrade(): op.execute("ALTER TABLE tasks ADD COLUMN more TEXT")
def downgrade(): op.execute("ALTER TABLE tasks DROP COLUMN more")
""")
    return tmp_path


async def test_the_way_back_is_to_deploy_the_version_before(
    empty_url: str, next_version: Path
) -> None:
    ours = ROOT
    assert migrate(ours, empty_url, "--check") == (1, f"Error: {needs('no revision')}")
    assert migrate(ours, empty_url) == (0, f"no revision → {NEEDED}")
    assert migrate(ours, empty_url) == (0, "up to date")
    assert migrate(ours, empty_url, "--check") == (0, "up to date")
    behind = f"Error: schema is at {NEEDED}, needs 9000: python -m app migrate"
    assert migrate(next_version, empty_url, "--check") == (1, behind)
    assert migrate(next_version, empty_url) == (0, f"{NEEDED} → 9000")
    schema = await column(empty_url, _SCHEMA)
    newer = f"schema is at 9000, which is newer than {NEEDED} and suits it"
    for options in ((), ("--check",)):
        assert migrate(ours, empty_url, *options) == (0, newer)
    assert await column(empty_url, _SCHEMA) == schema
    async with talking_to(empty_url) as client:
        assert (await readiness(client))[0] == 200
        assert (await answers(client))[0] == 200
    assert migrate(next_version, empty_url) == (0, "up to date")
