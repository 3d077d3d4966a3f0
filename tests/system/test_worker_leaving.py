"""How the worker's commands end: with one line and a status, whatever S3 does."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.bucket import Bucket
from tests.system.test_worker import start

_NO_BUCKET = "AWS_S3_BUCKET is not set: there is nothing to mirror in."
_NO_WEBHOOKS = "ENCRYPTION_KEY is not set: webhooks are closed."


@contextmanager
def interruptible() -> Iterator[None]:
    """What is started here hears of Ctrl-C, also where a shell in the background had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("worker",), f"{_NO_BUCKET} {_NO_WEBHOOKS}"),
        (("mirror", "rebuild"), _NO_BUCKET),
    ],
)
def test_without_a_bucket_there_is_nothing_to_do(
    database_url: str, arguments: tuple[str, ...], reason: str
) -> None:
    _, complained = (process := start(*arguments, DATABASE_URL=database_url)).communicate()
    assert process.returncode == 1
    assert complained == f"Error: {reason}\n"


def test_a_bucket_that_cannot_be_used_ends_a_rebuild_with_one_line_each_time(
    database_url: str, bucket: Bucket
) -> None:
    settings = bucket.environment(AWS_S3_BUCKET="no-such-bucket")
    for _ in range(8):  # it aborted in two of seven
        process = start("mirror", "rebuild", DATABASE_URL=database_url, **settings)
        _, complained = process.communicate()
        assert process.returncode == 1
        assert complained.startswith("Error: Cannot use the bucket: ")
        assert complained.count("\n") == 1


def test_a_rebuild_that_is_interrupted_says_so_and_leaves(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = Bucket(endpoint, "bucket").environment(DATABASE_URL=database_url)
        with interruptible():
            process = start("mirror", "rebuild", **settings)
        with silent.accept()[0]:  # it has asked for the list
            process.send_signal(signal.SIGINT)
            _, complained = process.communicate(timeout=20)
    assert (process.returncode, complained) == (1, "Aborted!\n")
