"""The worker's commands. What they need is loaded when they run: the service does without it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.config import Settings, load_settings
from app.errors import Unavailable
from app.logs import configure_logs


@click.command()
def worker() -> None:
    """Mirror contacts, calls and tasks as they change.

    In the bucket AWS_S3_BUCKET, until it is told to stop.
    """
    settings = _settings_with_bucket()
    configure_logs(settings)
    from app import metrics  # noqa: PLC0415
    from app.worker import run  # noqa: PLC0415

    if settings.metrics_port:
        try:
            metrics.serve_on(settings.metrics_port)
        except OSError:
            raise click.ClickException(f"Port {settings.metrics_port} is taken.") from None
    asyncio.run(run.follow(settings))


@click.group()
def mirror() -> None:
    """Look after the bucket that mirrors contacts, calls and tasks."""


@mirror.command()
def rebuild() -> None:
    """Write every object anew and remove what is stray. The service may go on meanwhile."""
    settings = _settings_with_bucket()
    configure_logs(settings)
    from app.worker import run  # noqa: PLC0415

    try:
        asyncio.run(run.rebuild(settings))
    except Unavailable as error:
        raise click.ClickException(error.message) from None
    click.echo("Rebuilt.")


def _settings_with_bucket() -> Settings:
    settings = load_settings()
    if settings.aws_s3_bucket is None:
        raise click.ClickException("AWS_S3_BUCKET is not set: there is nothing to mirror in.")
    return settings


@contextmanager
def worker_beside(settings: Settings) -> Iterator[None]:
    """A worker in a process of its own for as long, where there is a bucket."""
    if settings.aws_s3_bucket is None:
        yield
        return
    process = subprocess.Popen([sys.executable, "-m", "app", "worker"])
    try:
        yield
    finally:
        process.terminate()
        process.wait()
