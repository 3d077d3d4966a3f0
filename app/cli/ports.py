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


def reserve(host: str, port: int) -> socket.socket:
    """A socket that alone may listen there; OSError when nobody could.

    Until it does, who connects is refused, and so knows that nothing is served yet.
    """
    reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((host, port))
        # An address is shared, as long as nobody listens, by those who all say so.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        reserved.close()
        raise
    return reserved


def allow_listening(reserved: socket.socket) -> None:
    """Lets it listen also where connections have just ended."""
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
