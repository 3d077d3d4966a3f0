"""What `dev` brings along: open doors, a PostgreSQL, processes that end together."""

import asyncio
import multiprocessing
import os
import subprocess
from pathlib import Path
from typing import Any

import click
from dotenv import dotenv_values

from app.cli import parent
from app.config import Settings
from app.doors import development_values, open_doors
from app.services import keys

_DATA = Path(".data") / "postgres"


def configure_doors(port: int) -> None:
    """Gives the doors that nobody configured their development values."""
    configured = dotenv_values(".env")
    values = {**development_values(), "PUBLIC_URL": f"http://localhost:{port}"}
    for name, value in values.items():
        if name not in configured:
            os.environ.setdefault(name, value)


def start_database() -> None:
    """Starts PostgreSQL in .data where no database is configured."""
    if _configured("DATABASE_URL"):
        return
    from app.database import embedded  # noqa: PLC0415 - the other commands do without it

    click.echo("Starting PostgreSQL …")
    try:
        server = embedded.start(_DATA)
        os.environ["DATABASE_URL"] = asyncio.run(embedded.create_database(server))
    except ImportError:
        raise click.ClickException("Set DATABASE_URL, or install requirements-local.txt") from None
    except OSError as error:
        file = os.path.relpath(error.filename or _DATA)
        raise click.ClickException(f"Cannot write to {file}: {error.strerror}") from None
    except (embedded.NotStartedError, subprocess.CalledProcessError) as error:
        raise click.ClickException(f"PostgreSQL does not start: {error}") from None


def find_database() -> None:
    """Takes the database of the `dev` beside us, where development has none of its own."""
    if _configured("DATABASE_URL") or _configured("ENVIRONMENT") not in ("", "development"):
        return
    from app.database import embedded  # noqa: PLC0415 - the other commands do without it

    if url := embedded.running_url(_DATA):
        os.environ["DATABASE_URL"] = url


def _configured(name: str) -> str:
    return os.environ.get(name) or dotenv_values(".env").get(name) or ""


def welcome(settings: Settings, port: int) -> None:
    """Says where everything is."""
    click.echo()
    click.secho("  Task Manager API", bold=True)
    for name, value in (
        ("Swagger UI", f"http://localhost:{port}/docs"),
        ("Service key", f"{keys.DEVELOPMENT_KEY}  (X-Service-Key)"),
        ("Admin key", f"{settings.admin_api_key.get_secret_value()}  (X-Admin-Key)"),
        ("Database", settings.database_url.get_secret_value()),
        ("Open doors", ", ".join(door.name for door in open_doors(settings))),
    ):
        click.echo(f"  {name:<12} {value}")
    click.echo("  Stop with Ctrl-C.\n")


def create_app() -> Any:
    """The application, which ends with the supervisor that reloads it."""
    if (supervisor := multiprocessing.parent_process()) and supervisor.pid:
        parent.end_with(supervisor.pid)
    from app.main import create_app  # noqa: PLC0415 - the supervisor does without it

    return create_app()
