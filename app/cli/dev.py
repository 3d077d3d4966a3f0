"""Serving for development: every door open, a PostgreSQL of its own, and one end for all."""

import multiprocessing
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from dotenv import dotenv_values

from app.cli import parent, ports
from app.cli.database import on_database, start_database
from app.cli.migrate import migrate_database
from app.cli.worker import worker_beside
from app.config import Settings, load_settings
from app.services import keys


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    envvar="PORT",
    default=lambda: dotenv_values(".env").get("PORT", "8888"),
    show_default="8888",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--reload/--no-reload", default=True, help="Restart when the code changes.")
def dev(port: int, host: str, reload: bool) -> None:
    """Serve for development, on a PostgreSQL of its own.

    It is migrated and has the development key. With DATABASE_URL set, that database is used and no
    other is started.
    """
    # Whoever ends us, the embedded PostgreSQL ends with us, by atexit.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    with ports.listening(port, f" Choose another: PORT={port + 1} make run"):
        reserved = ports.reserve(host, port)
    os.environ["ENVIRONMENT"] = os.environ.get("ENVIRONMENT") or "development"
    _configure_doors(port)
    start_database()
    settings = load_settings()
    migrate_database(settings)
    if settings.environment == "development":
        on_database(keys.ensure_development_key, settings)
    _welcome(settings, port)
    os.environ[parent.VARIABLE] = str(os.getpid())
    with worker_beside(settings):
        _serve(reserved, reload=reload)
    click.echo("Stopped.")


def _serve(reserved: socket.socket, *, reload: bool) -> None:
    """Serves on the socket until it is told to stop."""
    import uvicorn  # noqa: PLC0415 - production does not need its supervisor
    from uvicorn.supervisors import ChangeReload  # noqa: PLC0415

    from app.server.protocol import BoundedProtocol  # noqa: PLC0415

    config = uvicorn.Config(
        "app.cli.dev:create_app",
        factory=True,
        reload=reload,
        http=BoundedProtocol,
        reload_dirs=[str(Path(__file__).parents[1])],
        log_config=None,
        access_log=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    ports.allow_listening(reserved)
    if reload:
        ChangeReload(config, target=server.run, sockets=[reserved]).run()
        return
    with suppress(KeyboardInterrupt):
        server.run(sockets=[reserved])
    if not server.started:
        sys.exit(1)


def _configure_doors(port: int) -> None:
    """Gives the doors that nobody configured their development values."""
    from app.doors import development_values  # noqa: PLC0415 - they bring FastAPI along

    configured = dotenv_values(".env")
    values = {**development_values(), "PUBLIC_URL": f"http://localhost:{port}"}
    for name, value in values.items():
        if name not in configured:
            os.environ.setdefault(name, value)


def _welcome(settings: Settings, port: int) -> None:
    """Says where everything is."""
    from app.doors import open_doors  # noqa: PLC0415 - they bring FastAPI along

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
