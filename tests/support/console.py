"""The console in a browser, as an administrator meets it."""

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from app.config import DEVELOPMENT_ADMIN_KEY
from app.services.keys import DEVELOPMENT_KEY
from tests.support.browser import browsing

ADMIN = {"X-Admin-Key": DEVELOPMENT_ADMIN_KEY}
SECTIONS = ("overview", "keys", "webhooks", "revocations", "audit", "user")


@pytest.fixture(scope="module")
def browser(service: str, chromium: str) -> Iterator[Browser]:
    """A browser that is started after the service, and ends before it."""
    with browsing(chromium) as browser:
        yield browser


@pytest.fixture
def console(service: str, browser: Browser) -> Iterator[Page]:
    """The console, signed in to; nothing of it is refused by its own policy."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=service)
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    enter(page, service)
    yield page
    context.close()
    refused = ("status of 4", "ERR_CONNECTION_REFUSED")
    assert [told for told in complaints if not any(words in told for words in refused)] == []


def enter(page: Page, url: str, section: str = "overview") -> None:
    """Signs in, and goes to a section."""
    page.goto(f"{url}/admin/console#/{section}")
    page.get_by_label("Admin key").fill(DEVELOPMENT_ADMIN_KEY)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Sections")).to_be_visible()
    settle(page)


def go(page: Page, section: str) -> None:
    """Goes to a section of the page that is open."""
    page.evaluate("hash => { location.hash = hash }", f"#/{section}")
    settle(page)


def settle(page: Page) -> None:
    """Waits until everything is shown that was asked for."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    expect(page.locator(".busy")).to_have_count(0)


def ask(url: str, method: str, path: str, body: Any = None) -> Any:
    """What the API says to an administrator."""
    answer = httpx.request(method, f"{url}{path}", json=body, headers=ADMIN)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def send(url: str, action: str, user_id: str, **payload: Any) -> Any:
    """What a command returns, sent with the key of development."""
    command = {"action": action, "user_id": user_id, "payload": payload}
    headers = {"X-Service-Key": DEVELOPMENT_KEY}
    answer = httpx.post(f"{url}/execute", json=command, headers=headers)
    assert answer.is_success, answer.text
    return answer.json()["data"]


def picture(page: Page, name: str) -> None:
    """Keeps a picture of the page where SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
