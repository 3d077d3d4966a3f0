"""The console: events are sent somewhere, tried and sent again."""

import os
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.console import ask, browser, console, go, picture, send, settle
from tests.support.databases import create_clone
from tests.support.service import environment, running, start

__all__ = ["browser", "console"]

pytestmark = pytest.mark.browser
OWN = {"WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8"}


@pytest.fixture(scope="module")
def service(server_url: str, template: str) -> Iterator[str]:
    """A service whose webhooks may lead to this machine, and its worker."""
    with create_clone(server_url, template) as database_url:
        settings = {"DATABASE_URL": database_url, **OWN}
        with running("dev", "--no-reload", **settings) as (url, _):
            key = "dev-encryption-key-replace-in-production-00="
            with Path(os.devnull).open("wb") as nowhere:
                env = environment(ENCRYPTION_KEY=key, **settings)
                worker = start("worker", env=env, stdout=nowhere.fileno())
            yield url
            worker.terminate()
            worker.wait(30)


@pytest.fixture(scope="module")
def receiver() -> Iterator[tuple[str, list[str]]]:
    """Where events may be sent to, and the ids of those that came."""
    came: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            came.append(self.headers["webhook-id"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", came
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_is_added_tried_told_of_events_replayed_and_deleted(
    console: Page, service: str, receiver: tuple[str, list[str]]
) -> None:
    url, came = receiver
    go(console, "webhooks")
    console.get_by_role("button", name="Add a webhook").click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("URL").fill(url)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(console.get_by_role("alert")).to_contain_text("events: ")
    dialog.get_by_label("*", exact=True).check()
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(console.locator(".secret")).to_contain_text("whsec_")
    console.get_by_role("button", name="Done").click()
    console.get_by_role("link", name=url).click()
    settle(console)
    console.get_by_role("button", name="Send a test").click()
    expect(console.get_by_text("The test was delivered: 204")).to_be_visible()
    send(service, "create-task", "ann", title="Buy cat food")
    _await_delivery(console)
    told = came[-1]
    picture(console, "webhook")
    console.get_by_role("button", name="Replay").click()
    console.get_by_role("dialog").get_by_role("button", name="Replay").click()
    expect(console.get_by_text(re.compile("sent again"))).to_be_visible()
    for _ in range(100):
        if came.count(told) == 2:
            break
        console.wait_for_timeout(100)
    assert came.count(told) == 2
    _disable_rotate_and_delete(console, url)
    assert ask(service, "GET", "/admin/webhooks")["webhooks"] == []


def _await_delivery(console: Page) -> None:
    row = console.get_by_role("row", name=re.compile("task.created.*delivered"))
    for _ in range(100):
        console.get_by_role("button", name="Refresh").click()
        settle(console)
        if row.count():
            return
        console.wait_for_timeout(100)
    raise AssertionError("it was not delivered")


def _disable_rotate_and_delete(console: Page, url: str) -> None:
    dialog = console.get_by_role("dialog")
    console.get_by_role("button", name="Disable").click()
    dialog.get_by_role("button", name="Disable").click()
    expect(console.locator(".facts")).to_contain_text("disabled")
    console.get_by_role("button", name="Enable").click()
    dialog.get_by_role("button", name="Enable").click()
    expect(console.locator(".facts")).to_contain_text("enabled")
    console.get_by_role("button", name="Rotate the secret").click()
    dialog.get_by_role("button", name="Rotate").click()
    expect(console.locator(".secret")).to_contain_text("whsec_")
    console.get_by_role("button", name="Done").click()
    console.get_by_role("button", name="Delete").click()
    expect(dialog).to_contain_text(f"Delete the webhook {url}?")
    dialog.get_by_role("button", name="Delete").click()
    expect(console.locator(".empty")).to_contain_text("Add a webhook")
