"""The command line: `python -m app --help`."""

import atexit
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import click
from dotenv import dotenv_values

from app.cli import dev as development
from app.cli import parent, ports
from app.cli import worker as command
from app.cli.database import on_database
from app.cli.keys import keys_group
from app.cli.migrate import migrate, migrate_database
from app.config import load_settings, settings_to_serve
from app.config.doubts import warn_of_doubts
from app.logs import configure_logs, logger
from app.services import keys


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(context: click.Context) -> None:
    """Task Manager API: serve it, migrate its database, manage its keys."""
    parent.end_with_the_named()
    if context.invoked_subcommand not in {"dev", "serve"}:
        development.find_database()


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

    from app.server.protocol import BoundedProtocol  # noqa: PLC0415

    # Whoever ends us, the embedded PostgreSQL ends with us, by atexit.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    with ports.listening(port, f" Choose another: PORT={port + 1} make run"):
        ports.require_free(host, port)
    os.environ["ENVIRONMENT"] = os.environ.get("ENVIRONMENT") or "development"
    development.configure_doors(port)
    development.start_database()
    settings = load_settings()
    migrate_database(settings)
    if settings.environment == "development":
        on_database(keys.ensure_development_key, settings)
    development.welcome(settings, port)
    os.environ[parent.VARIABLE] = str(os.getpid())
    with command.worker_beside(settings):
        uvicorn.run(
            "app.cli.dev:create_app",
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


@cli.command()
def serve() -> None:
    """Serve for production: WEB_CONCURRENCY gunicorn workers on PORT."""
    settings = settings_to_serve()
    if settings.web_concurrency > 1 or settings.metrics_port:
        # One process cannot tell another's figures; a lone worker does better without files.
        _share_metrics()
    from app import metrics  # noqa: PLC0415 - the figures are made with the folder in place
    from app.server.gunicorn import Server  # noqa: PLC0415 - the other commands do without it

    # gunicorn reads the command line too unless it is empty.
    sys.argv = sys.argv[:1]
    configure_logs(settings.log_level, readable=settings.environment == "development")
    if settings.environment == "development":
        logger.warning("published_development_keys_are_accepted", remedy="ENVIRONMENT=production")
    warn_of_doubts(settings)
    if settings.metrics_port:
        with ports.listening(settings.metrics_port):
            metrics.serve_on(settings.metrics_port)
    server = Server(settings)
    with ports.listening(settings.port):
        server.listen()
    server.run()


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


cli.add_command(migrate)
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
