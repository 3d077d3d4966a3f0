"""A port is either had, from the beginning and for good, or said to be taken in one line."""

import socket
from collections.abc import Iterator

import pytest
from click import ClickException

from app.cli import ports


@pytest.fixture
def rival() -> Iterator[socket.socket]:
    """A socket of somebody else who has a port but does not listen yet, as we could have one."""
    with socket.socket() as rival:
        rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        rival.bind(("127.0.0.1", 0))
        yield rival


def test_nobody_takes_a_port_that_is_reserved(rival: socket.socket) -> None:
    address = rival.getsockname()
    with ports.reserve(*address) as reserved:
        with pytest.raises(OSError, match="in use"):
            rival.listen()
        with pytest.raises(OSError, match="in use"):
            ports.reserve(*address)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        ports.allow_listening(reserved)
        reserved.listen()
        with socket.create_connection(address) as client:
            assert client.getpeername() == address


def test_a_port_is_had_again_as_soon_as_its_last_holder_has_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address):
            listener.accept()[0].close()  # and waits for stray packets for a minute
    with ports.reserve(*address) as reserved:
        ports.allow_listening(reserved)
        reserved.listen()


def test_a_port_that_is_listened_on_is_said_to_be_taken(rival: socket.socket) -> None:
    rival.listen()
    host, port = rival.getsockname()
    with (
        pytest.raises(ClickException, match=f"Port {port} is taken. Choose another."),
        ports.listening(port, " Choose another."),
    ):
        ports.reserve(host, port)


def test_an_address_and_a_name_are_reserved() -> None:
    for host in ("127.0.0.1", "localhost"):
        with ports.reserve(host, 0) as reserved:
            assert reserved.getsockname()[1] > 0
