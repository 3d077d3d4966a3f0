"""The example of a client in Python: it works, and it repeats only what is safe to repeat."""

import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from examples import client as example
from tests.support.service import ROOT, running

Answers = Iterator[httpx.Response | Exception]


def talking(answers: Answers, sent: list[httpx.Request]) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        match next(answers):
            case httpx.Response() as response:
                return response
            case error:
                raise error

    return httpx.Client(transport=httpx.MockTransport(answer))


def refused(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"detail": "No", "code": code})


def test_it_runs(database_url: str) -> None:
    with running("dev", "--no-reload", DATABASE_URL=database_url) as (url, _):
        command = [sys.executable, str(ROOT / "examples" / "client.py")]
        ended = subprocess.run(
            command, env={"URL": url}, capture_output=True, text=True, check=True
        )
    assert "['Buy cat food']" in ended.stdout
    assert "{'status'}" in ended.stdout


@pytest.mark.parametrize(
    "failure",
    [
        refused(503, "unavailable"),
        refused(429, "too_many_requests"),
        refused(409, "already_running"),
        httpx.ReadTimeout("late"),
    ],
    ids=lambda failure: str(getattr(failure, "status_code", "late")),
)
def test_a_repetition_has_the_key_of_the_first(
    failure: httpx.Response | Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    sent: list[httpx.Request] = []
    done = httpx.Response(200, json={"data": {"id": 1}})
    with talking(iter([failure, done]), sent) as client:
        assert example.execute(client, "create-task", title="Feed cat") == {"id": 1}
    assert len(sent) == 2
    assert len({request.headers["Idempotency-Key"] for request in sent}) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
def test_what_is_refused_is_not_repeated(status: int) -> None:
    sent: list[httpx.Request] = []
    with talking(iter([refused(status, "no")]), sent) as client:
        with pytest.raises(example.Refused) as refusal:
            example.execute(client, "create-task")
        assert (refusal.value.status, refusal.value.code) == (status, "no")
    assert len(sent) == 1


def test_pages_follow_one_another() -> None:
    sent: list[httpx.Request] = []
    pages = [
        httpx.Response(200, json={"data": {"tasks": [1, 2], "next_cursor": "c"}}),
        httpx.Response(200, json={"data": {"tasks": [3], "next_cursor": None}}),
    ]
    with talking(iter(pages), sent) as client:
        assert list(example.every_task(client)) == [1, 2, 3]
    assert b'"cursor":"c"' in sent[1].content
