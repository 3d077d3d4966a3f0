"""The command line: `python -m app --help`."""

import asyncio
import atexit
import errno
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import click
from dotenv import dotenv_values

from app.cli.database import clear_errors, on_database
from app.cli.keys import keys_group
from app.config import DEVELOPMENT_VALUES, Settings, load, load_settings, settings_to_serve
from app.doubts import warn_of_doubts
from app.logs import configure_logs, logger
from app.process_settings import ProcessSettings
from app.services import keys
from app.worker import command

_DATA = Path(".data") / "postgres"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Task Manager API: serve it, migrate its database, manage its keys."""


@cli.command()
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
    import uvicorn  # noqa: PLC0415 - production does not need its supervisor

    from app.protocol import BoundedProtocol  # noqa: PLC0415

    # Whoever ends us, the embedded PostgreSQL ends with us, by atexit.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    _require_free_port(host, port)
    os.environ["ENVIRONMENT"] = os.environ.get("ENVIRONMENT") or "development"
    _open_doors(port)
    _require_database()
    settings = load_settings()
    _migrate(settings)
    if settings.environment == "development":
        on_database(keys.ensure_development_key, settings)
    _welcome(settings, port)
    with command.worker_beside(settings):
        uvicorn.run(
            "app.main:create_app",
            factory=True,
            host=host,
            port=port,
            reload=reload,
            http=BoundedProtocol,
            reload_dirs=[str(Path(__file__).parent)],
            log_config=None,
            access_log=False,
            server_header=False,
        )
    click.echo("Stopped.")


def _open_doors(port: int) -> None:
    """Gives the doors that nobody configured their development values."""
    configured = dotenv_values(".env")
    values = {**DEVELOPMENT_VALUES, "PUBLIC_URL": f"http://localhost:{port}"}
    for name, value in values.items():
        if name not in configured:
            os.environ.setdefault(name, value)


def _require_free_port(host: str, port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise click.ClickException(f"Cannot listen on {port}: {error.strerror}") from None
            raise click.ClickException(
                f"Port {port} is taken. Choose another: PORT={port + 1} make run"
            ) from None


def _require_database() -> None:
    """Starts PostgreSQL in .data where no database is configured."""
    if os.environ.get("DATABASE_URL") or dotenv_values(".env").get("DATABASE_URL"):
        return
    from app import embedded  # noqa: PLC0415 - its package is absent in production

    click.echo("Starting PostgreSQL …")
    try:
        server = embedded.start(_DATA)
        os.environ["DATABASE_URL"] = asyncio.run(embedded.create_database(server))
    except ImportError:
        raise click.ClickException("Set DATABASE_URL, or install requirements-local.txt") from None
    except OSError as error:
        raise click.ClickException(f"Cannot write to {_DATA.parent}: {error.strerror}") from None


def _welcome(settings: Settings, port: int) -> None:
    click.echo()
    click.secho("  Task Manager API", bold=True)
    for name, value in (
        ("Swagger UI", f"http://localhost:{port}/docs"),
        ("Service key", f"{keys.DEVELOPMENT_KEY}  (X-Service-Key)"),
        ("Admin key", f"{settings.admin_api_key.get_secret_value()}  (X-Admin-Key)"),
        ("Database", settings.database_url.get_secret_value()),
        ("Open doors", ", ".join(settings.doors)),
    ):
        click.echo(f"  {name:<12} {value}")
    click.echo("  Stop with Ctrl-C.\n")


@cli.command()
def serve() -> None:
    """Serve for production: WEB_CONCURRENCY gunicorn workers on PORT."""
    settings = settings_to_serve()
    if settings.web_concurrency > 1 or settings.metrics_port:
        # One process cannot tell another's figures; a lone worker does better without files.
        _share_metrics()
    from app import metrics  # noqa: PLC0415 - the figures are made with the folder in place
    from app.server import Server  # noqa: PLC0415 - the other commands do without it

    # gunicorn reads the command line too unless it is empty.
    sys.argv = sys.argv[:1]
    configure_logs(settings)
    if settings.environment == "development":
        logger.warning("published_development_keys_are_accepted", remedy="ENVIRONMENT=production")
    warn_of_doubts(settings)
    if settings.counts_apart:
        logger.warning("each_worker_counts_rate_limits_for_itself", remedy="REDIS_URL")
    if settings.metrics_port:
        try:
            metrics.serve_on(settings.metrics_port)
        except OSError:
            raise click.ClickException(f"Port {settings.metrics_port} is taken.") from None
    Server(settings).run()


def _share_metrics() -> None:
    """Gives the workers a folder for their figures, which goes when the service ends."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        return
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-")
    master = os.getpid()

    def remove() -> None:
        if os.getpid() == master:  # the workers inherit this
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date. To go back: alembic downgrade."""
    _migrate(load(ProcessSettings))
    click.echo("Migrated.")


def _migrate(settings: ProcessSettings) -> None:
    from app import migrations  # noqa: PLC0415 - SQLAlchemy is large, serving does without it

    url = (settings.migration_database_url or settings.database_url).get_secret_value()
    with clear_errors():
        migrations.upgrade(url)


cli.add_command(keys_group)
cli.add_command(command.worker)
cli.add_command(command.mirror)


@cli.command(name="actions")
def print_actions() -> None:
    """Print the catalogue of actions as JSON."""
    from app.commands.action import PLATFORM  # noqa: PLC0415 - only this command needs actions
    from app.commands.catalogue import catalogue  # noqa: PLC0415

    click.echo(json.dumps(catalogue(PLATFORM).model_dump(), indent=2))


if __name__ == "__main__":
    cli(prog_name="python -m app")
