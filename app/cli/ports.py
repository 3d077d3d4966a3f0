"""TCP ports that somebody else may have taken."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

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


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; OSError when nobody could. Nobody else can from now on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)
