"""The console: administrators mint, rotate and revoke keys, and look after who is refused."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from app.config import DEVELOPMENT_ADMIN_KEY
from app.services.keys import DEVELOPMENT_KEY
from tests.support.console import ask, browser, console, go, picture, send, settle

__all__ = ["browser", "console"]

pytestmark = pytest.mark.browser


def test_overview_shows_figures_doors_version_schema_and_the_worker(
    console: Page, service: str
) -> None:
    send(service, "create-task", "ann", title="Buy cat food")
    console.get_by_role("button", name="Refresh").click()
    settle(console)
    row = console.get_by_role("row", name=re.compile("create-task"))
    expect(row).to_contain_text("ms")
    facts = console.locator(".facts")
    for expected in ("Version", "Schema", "suits", "commands", "admin", "Worker"):
        expect(facts).to_contain_text(expected)
    expect(console.locator(".cards")).to_contain_text("p99")


METRICS = """# TYPE task_manager_requests counter
task_manager_requests_total{action="list-tasks",status="200"} 98.0
task_manager_requests_total{action="list-tasks",status="404"} 2.0
task_manager_request_seconds_bucket{action="list-tasks",le="0.1"} 98.0
task_manager_request_seconds_bucket{action="list-tasks",le="0.25"} 100.0
task_manager_request_seconds_bucket{action="list-tasks",le="+Inf"} 100.0
task_manager_requests_total{action="export-user",status="503"} 1.0
task_manager_request_seconds_bucket{action="export-user",le="0.1"} 0.0
task_manager_request_seconds_bucket{action="export-user",le="0.25"} 0.0
task_manager_request_seconds_bucket{action="export-user",le="+Inf"} 1.0
"""


def test_requests_errors_and_p99_are_read_from_the_metrics(console: Page) -> None:
    console.route("**/metrics", lambda route: route.fulfill(body=METRICS))
    console.get_by_role("button", name="Refresh").click()
    settle(console)
    listed = console.get_by_role("row", name=re.compile("list-tasks")).get_by_role("cell")
    exported = console.get_by_role("row", name=re.compile("export-user")).get_by_role("cell")
    expect(listed).to_have_text(["list-tasks", "100", "2", "0", "175 ms"])
    expect(exported).to_have_text(["export-user", "1", "0", "1", "over 250 ms"])
    expect(console.locator(".cards dd")).to_have_text(["101", "2", "1", "249 ms"])


def test_a_key_is_minted_copied_used_rotated_and_revoked(console: Page, service: str) -> None:
    go(console, "keys")
    console.get_by_role("button", name="Mint a key").click()
    dialog = console.get_by_role("dialog")
    dialog.get_by_label("Name").fill("cat-house")
    dialog.get_by_label("Note").fill("The web client's")
    dialog.get_by_label("tasks:read", exact=True).check()
    dialog.get_by_role("button", name="Mint", exact=True).click()
    secret = console.get_by_role("dialog", name="Key cat-house").locator("code")
    minted = secret.inner_text()
    console.get_by_role("button", name="Copy").click()
    expect(console.get_by_role("dialog")).to_contain_text("Copied")
    assert console.evaluate("navigator.clipboard.readText()") == minted
    picture(console, "secret")
    console.get_by_role("button", name="Done").click()
    assert minted not in console.content()
    key = next(k for k in ask(service, "GET", "/admin/service-keys")["keys"] if k["scopes"])
    assert (key["key_name"], key["scopes"]) == ("cat-house", ["tasks:read"])
    console.get_by_role("link", name="cat-house", exact=True).click()
    settle(console)
    expect(console.locator(".facts")).to_contain_text("The web client's")
    _change_and_rotate(console, service, key["id"])
    console.get_by_role("button", name="Revoke").click()
    expect(console.get_by_role("dialog")).to_contain_text("Revoke the key cat-house (…")
    console.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(console.locator(".facts")).to_contain_text("revoked")
    expect(console.get_by_role("heading", level=1)).to_be_focused()
    assert ask(service, "GET", f"/admin/service-keys/{key['id']}")["state"] == "revoked"


def _change_and_rotate(console: Page, service: str, key_id: str) -> None:
    console.get_by_role("button", name="Change").click()
    console.get_by_label("Rate limit").fill("600/fortnight")
    console.get_by_role("dialog").get_by_role("button", name="Change").click()
    expect(console.get_by_role("alert")).to_contain_text("rate_limit: String should match")
    console.get_by_label("Rate limit").fill("600/minute")
    console.get_by_role("dialog").get_by_role("button", name="Change").click()
    expect(console.locator(".facts")).to_contain_text("600/minute")
    changed = ask(service, "GET", f"/admin/service-keys/{key_id}")
    assert (changed["scopes"], changed["note"]) == (["tasks:read"], "The web client's")
    console.get_by_role("button", name="Rotate").click()
    console.get_by_label("goes on working").select_option("1 hour")
    console.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    expect(console.get_by_role("dialog")).to_contain_text("The old one works until")
    console.get_by_role("button", name="Done").click()
    expect(console.locator(".facts")).to_contain_text("superseded")


def test_the_use_of_a_key_is_plotted_by_day_and_by_action(console: Page, service: str) -> None:
    send(service, "list-tasks", "ann")
    keys = ask(service, "GET", "/admin/service-keys")["keys"]
    used = next(key for key in keys if key["last_four"] == DEVELOPMENT_KEY[-4:])
    path = f"/admin/service-keys/{used['id']}"
    for _ in range(100):
        if "list-tasks" in {used["action"] for used in ask(service, "GET", path)["usage"]}:
            break
        console.wait_for_timeout(100)
    go(console, f"keys/{used['id']}")
    plot = console.locator(".plot svg")
    expect(plot).to_have_attribute("aria-label", re.compile(r"Last 14 days: [1-9]\d* ok"))
    expect(console.get_by_role("row", name=re.compile("list-tasks"))).to_be_visible()
    assert f"{datetime.now(UTC):%Y-%m-%d} (UTC)" in (plot.text_content() or "")


def test_whoever_ends_a_key_at_once_is_told_so_and_led_to_its_successor(
    console: Page, service: str
) -> None:
    members = {"key_name": "leaked", "environment": "dev"}
    key = ask(service, "POST", "/admin/service-keys", members)
    go(console, f"keys/{key['id']}")
    assert console.get_by_text("newer key").count() == 0
    console.get_by_role("button", name="Rotate").click()
    console.get_by_label("goes on working").select_option("not at all")
    console.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    expect(console.get_by_role("dialog")).to_contain_text("The old one has ended.")
    ending = console.locator(".secret").inner_text()[-4:]
    console.get_by_role("button", name="Done").click()
    console.get_by_role("link", name=f"leaked (…{ending})").click()
    expect(console.locator(".facts")).to_contain_text("active")
    assert key["id"] not in console.url
    assert console.get_by_text("newer key").count() == 0


def test_a_secret_is_not_left_by_escape_until_it_was_copied(console: Page) -> None:
    go(console, "keys")
    console.get_by_role("button", name="Mint a key").click()
    console.get_by_label("Name").fill("kept")
    console.keyboard.press("Enter")
    secret = console.locator(".secret")
    value = secret.inner_text()
    for _ in range(4):
        console.keyboard.press("Escape")
        expect(secret).to_have_text(value)
    expect(console.get_by_role("dialog")).to_contain_text("Not copied yet: copy it, or press Done")
    copy = console.get_by_role("button", name="Copy")
    while not copy.evaluate("one => one === document.activeElement"):
        console.keyboard.press("Tab")
    console.keyboard.press("Enter")
    expect(console.get_by_text("Copied", exact=True)).to_be_visible()
    console.keyboard.press("Escape")
    expect(console.get_by_role("dialog")).to_have_count(0)
    expect(console.get_by_role("button", name="Mint a key")).to_be_focused()


def test_access_is_revoked_and_the_revocation_lifted(console: Page, service: str) -> None:
    go(console, "revocations")
    expect(console.locator(".empty")).to_contain_text("Nobody is refused")
    console.get_by_role("button", name="Revoke access").click()
    console.get_by_label("Reason").fill("The phone was stolen")
    console.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(console.get_by_role("alert")).to_contain_text(
        "name user_id, installation_id or key_name"
    )
    console.get_by_label("Installation").fill("phone-1")
    console.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(console.get_by_role("row", name=re.compile("phone-1"))).to_contain_text("refused")
    picture(console, "revocations")
    console.get_by_role("button", name="Lift the revocation of Installation phone-1").click()
    expect(console.get_by_role("dialog")).to_contain_text("Installation phone-1?")
    console.get_by_role("dialog").get_by_role("button", name="Lift").click()
    expect(console.locator(".empty")).to_be_visible()
    assert ask(service, "GET", "/admin/revocations")["revocations"] == []


def test_the_trail_sorts_filters_pages_and_shows_what_changed(console: Page, service: str) -> None:
    for number in range(60):
        body = {"user_id": f"guest-{number:02}", "reason": "Spam"}
        ask(service, "POST", "/admin/revocations", body)
    go(console, "audit")
    expect(console.get_by_text("Page 1 of")).to_be_visible()
    assert console.locator("tbody tr").count() == 25
    console.get_by_role("button", name="Next").click()
    expect(console.get_by_text("Page 2 of")).to_be_visible()
    console.get_by_label("Filter").fill("revocation.created")
    console.get_by_role("button", name="When").click()
    expect(console.get_by_role("columnheader", name="When")).to_have_attribute(
        "aria-sort", "ascending"
    )
    console.locator("tbody summary").nth(1).click()
    expect(console.locator("tbody tr").nth(1)).to_contain_text("guest-00")
    instant = console.locator("tbody time").first.get_attribute("title")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", instant or "")
    console.get_by_label("Filter").fill("no such act")
    expect(console.get_by_text("Nothing matches")).to_be_visible()
    picture(console, "audit")


def test_the_key_is_nowhere_but_in_the_tab_and_gone_after_signing_out(
    console: Page, service: str
) -> None:
    assert DEVELOPMENT_ADMIN_KEY not in console.content() + console.url
    console.reload()
    expect(console.get_by_role("heading", name="Overview")).to_be_visible()
    console.get_by_role("button", name="Sign out").click()
    expect(console.get_by_label("Admin key")).to_be_focused()
    assert console.evaluate("JSON.stringify([sessionStorage, localStorage, document.cookie])") == (
        '[{},{},""]'
    )


def test_everything_is_reached_by_keyboard(console: Page) -> None:
    go(console, "keys")
    console.keyboard.press("Tab")
    expect(console.get_by_role("button", name="Mint a key")).to_be_focused()
    console.keyboard.press("Enter")
    expect(console.get_by_label("Name")).to_be_focused()
    console.keyboard.press("Escape")
    expect(console.get_by_role("dialog")).to_have_count(0)
    expect(console.get_by_role("button", name="Mint a key")).to_be_focused()
