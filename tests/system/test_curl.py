"""Every curl line of every page works as printed, and answers as printed where an answer is."""

import json
import subprocess

import pytest

from tests.support.pages import PAGES, Exchange, assert_alike, exchanges

RECEIVER = "https://127.0.0.1:1/hook"
"""In place of a name, which nobody may be there to look up."""


@pytest.mark.parametrize("printed", [one for page in PAGES for one in exchanges(page)])
def test_every_curl_line_answers_as_printed(service: str, printed: Exchange) -> None:
    command = printed.command.replace("http://localhost:8888", service)
    command = command.replace("https://example.com/hook", RECEIVER)
    done = subprocess.run(
        ["bash", "-c", f"{command} -s -w '\\n%{{http_code}}'"], capture_output=True, check=True
    )
    body, _, status = done.stdout.decode().rpartition("\n")
    answer = json.loads(body)
    if printed.status is None:
        assert int(status) in {200, 201}, answer
        return
    assert int(status) == printed.status
    assert_alike(answer, printed.answer)
    if printed.status >= 400:
        assert answer == printed.answer
