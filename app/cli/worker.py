"""The worker's commands. What they need is loaded when they run: the service does without it."""

import asyncio
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.config import Settings, WorkerSettings, load
from app.errors import Unavailable
from app.logs import configure_logs


@click.command()
def worker() -> None:
    """Tell others of what changes, until it is told to stop.

    The bucket AWS_S3_BUCKET mirrors contacts, calls and tasks; with an ENCRYPTION_KEY webhooks are
    told of events.
    """
    settings = _settings()
    if settings.aws_s3_bucket is None and not settings.opens_webhooks:
        raise click.ClickException(
            "AWS_S3_BUCKET is not set: there is nothing to mirror in. "
            "ENCRYPTION_KEY is not set: webhooks are closed."
        )
    configure_logs(settings.log_level, readable=settings.environment == "development")
    from app import metrics  # noqa: PLC0415
    from app.worker import run  # noqa: PLC0415

    if settings.metrics_port:
        try:
            metrics.serve_on(settings.metrics_port)
        except OSError:
            raise click.ClickException(f"Port {settings.metrics_port} is taken.") from None
    with _ending_the_process():
        asyncio.run(run.follow(settings))


@click.group()
def mirror() -> None:
    """Look after the bucket that mirrors contacts, calls and tasks."""


@mirror.command()
def rebuild() -> None:
    """Write every object anew and remove what is stray. The service may go on meanwhile."""
    settings = _settings_with_bucket()
    configure_logs(settings.log_level, readable=settings.environment == "development")
    from app.worker import run  # noqa: PLC0415

    with _ending_the_process():
        asyncio.run(run.rebuild(settings))
        click.echo("Rebuilt.")


@contextmanager
def _ending_the_process() -> Iterator[None]:
    """Ends the process when the work inside has ended, with the status that tells how.

    obstore leaves threads behind that now and then still want the interpreter while it says
    farewell, which aborts the process; so there is no farewell.
    """
    status = 1
    try:
        yield
        status = 0
    except Unavailable as error:
        click.echo(f"Error: {error.message}", err=True)
    except KeyboardInterrupt:
        click.echo("Aborted!", err=True)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def drop_empty_variables() -> None:
    """Makes an empty `AWS_…` of the environment an absent one, as which the settings take it.

    obstore looks there for what is not configured, and would take the empty text.
    """
    for name in [name for name, value in os.environ.items() if name[:4] == "AWS_" and not value]:
        del os.environ[name]


def _settings() -> WorkerSettings:
    drop_empty_variables()
    return load(WorkerSettings)


def _settings_with_bucket() -> WorkerSettings:
    settings = _settings()
    if settings.aws_s3_bucket is None:
        raise click.ClickException("AWS_S3_BUCKET is not set: there is nothing to mirror in.")
    return settings


@contextmanager
def worker_beside(settings: Settings) -> Iterator[None]:
    """A worker in a process of its own for as long, where there is a bucket or are webhooks."""
    if settings.aws_s3_bucket is None and not settings.opens_webhooks:
        yield
        return
    process = subprocess.Popen([sys.executable, "-m", "app", "worker"])
    try:
        yield
    finally:
        process.terminate()
        process.wait()
