"""TCP ports that somebody else may have taken."""

import errno
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click


@contextmanager
def listening(port: int, advice: str = "") -> Iterator[None]:
    """One line instead of a traceback where the port cannot be had."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise click.ClickException(f"Port {port} is taken.{advice}") from None
        raise click.ClickException(f"Cannot listen on {port}: {error.strerror}") from None


def require_free(host: str, port: int) -> None:
    """OSError when nobody could listen there."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
