"""The documentation as a developer meets it: in a browser, with no other host to load from."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Request, expect

from app.services.keys import DEVELOPMENT_KEY
from tests.support.service import running

pytestmark = pytest.mark.browser


@pytest.fixture
def service(database_url: str) -> Iterator[str]:
    with running("dev", "--no-reload", DATABASE_URL=database_url) as (url, _):
        yield url


def test_swagger_authorizes_by_paste_and_enter_and_creates_the_example_task(
    service: str, page: Page
) -> None:
    foreign = _foreign_requests(page, service)
    page.goto(f"{service}/docs")
    expect(page.get_by_role("link", name="ReDoc")).to_be_visible(timeout=30_000)
    expect(page.locator(".models")).to_have_count(0)
    page.get_by_role("button", name="Authorize").first.click()
    form = page.locator(".auth-container").first
    expect(form).to_contain_text("X-Service-Key")
    expect(form).to_contain_text(f"In development: {DEVELOPMENT_KEY}")
    expect(form.locator("input")).to_be_focused()
    page.keyboard.insert_text(DEVELOPMENT_KEY)
    page.keyboard.press("Enter")
    expect(form).to_contain_text("Authorized")
    _picture(page, "authorize")
    page.locator(".btn-done").first.click()
    operation = page.locator("#operations-commands-execute")
    operation.locator(".opblock-summary").click()
    expect(operation.locator(".examples-select option").first).to_be_attached()
    summaries = operation.locator(".examples-select option").all_inner_texts()
    assert "List tasks: due this week" in summaries
    assert len(set(summaries)) == len(summaries)
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute", exact=True).click()
    live = operation.locator(".live-responses-table")
    expect(live.locator(".response-col_status").last).to_contain_text("200")
    expect(live).to_contain_text("Buy cat food")
    _picture(page, "docs")
    assert foreign == []


def _picture(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_redoc_renders_from_this_host_alone(service: str, page: Page) -> None:
    foreign = _foreign_requests(page, service)
    page.goto(f"{service}/redoc")
    heading = page.get_by_role("heading", name="Task Manager API").first
    expect(heading).to_be_visible(timeout=30_000)
    assert foreign == []


def _foreign_requests(page: Page, service: str) -> list[str]:
    """What the page asks of other hosts, less what its security policy stops."""
    foreign: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((service, "data:", "blob:")):
            foreign.append(request.url)

    def forgive(request: Request) -> None:
        if request.url in foreign and request.failure == "csp":
            foreign.remove(request.url)

    page.on("request", note)
    page.on("requestfailed", forgive)
    return foreign
