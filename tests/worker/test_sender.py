"""What one attempt takes from an endpoint, whatever it answers."""

import pytest

from app.services.webhooks import Target
from app.worker.sender import Answer, Message, new_secret
from tests.conftest import MISSING_ID
from tests.support.receiver import CIPHER, Receiver, answered, open_sender


async def attempt(receiver: Receiver, times: int = 1) -> Answer:
    sender = open_sender()
    target = Target(MISSING_ID, receiver.url, (CIPHER.encrypt(new_secret()),))
    for _ in range(times):
        answer = await sender.send(target, Message("msg_1", b"{}"))
    await sender.close()
    return answer


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("Retry-After: 1000", 1000),
        ("retry-after: 0", 0),
        ("RETRY-AFTER: Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Retry-After: ", None),
        ("Retry-After: soon", None),
        ("Retry-After: -5", None),
        (f"Retry-After: {'9' * 400}", None),
        ("Retry-After: Fri, 01 Jan 2100 00:00:00 +999999999999999999", None),
    ],
)
async def test_retry_after_is_understood_however_it_is_spelt_and_disturbs_nothing(
    receiver: Receiver, said: str, seconds: float | None
) -> None:
    receiver.answer = lambda _: answered(200, f"{said}\r\n")
    answer = await attempt(receiver)
    assert (answer.is_success, answer.retry_after) == (True, seconds)


@pytest.mark.parametrize(("size", "connections"), [(16 * 1024, 1), (16 * 1024 + 1, 2)])
async def test_an_answer_is_read_to_16_kib_and_over_a_longer_one_nothing_more_is_sent(
    receiver: Receiver, size: int, connections: int
) -> None:
    receiver.answer = lambda _: answered(200, body="x" * size)
    answer = await attempt(receiver, times=2)
    assert (answer.is_success, len(answer.body)) == (True, 16 * 1024)
    assert receiver.connections == connections
