"""Serving for production."""

import atexit
import os
import shutil
import sys
import tempfile

import click

from app.cli import ports
from app.config import settings_to_serve
from app.config.doubts import warn_of_doubts
from app.logs import configure_logs, logger


@click.command()
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
