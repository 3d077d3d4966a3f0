"""The console: a user is looked at, exported and purged."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.support.console import ask, browser, console, go, picture, send

__all__ = ["browser", "console"]

pytestmark = pytest.mark.browser
SCRIPT = "<img src=x onerror=alert(1)><script>alert(1)</script>"


def test_a_user_is_shown_with_tasks_mood_and_last_changes(console: Page, service: str) -> None:
    send(service, "create-task", "ann", title="Buy cat food", status="completed")
    send(service, "create-task", "ann", title="Brush the cat")
    go(console, "user")
    console.get_by_label("User id").fill("ann")
    console.keyboard.press("Enter")
    expect(console.get_by_role("heading", name="User ann")).to_be_visible()
    expect(console.locator(".cards")).to_contain_text("Pending1In progress0Completed1")
    expect(console.get_by_role("img", name=re.compile("Whiskers is content: 58"))).to_be_visible()
    assert console.locator(".mood img").evaluate("image => image.naturalWidth") > 0
    expect(console.locator(".mood table")).to_contain_text("+6")
    today = f"{datetime.now(UTC):%a} 1"
    expect(console.locator("svg.week")).to_have_attribute("aria-label", re.compile(today))
    expect(console.get_by_role("row", name=re.compile("Brush the cat"))).to_contain_text(
        "task.created"
    )
    expect(console.get_by_text("The last 20 at most.")).to_be_visible()
    picture(console, "user")
    send(service, "create-task", "ann", title="Comb the cat")
    console.get_by_role("button", name="Show").click()
    expect(console.get_by_role("row", name=re.compile("Comb the cat"))).to_be_visible()


def test_who_waits_for_an_answer_in_vain_is_told_and_may_try_again(console: Page) -> None:
    console.clock.install()
    console.route("**/admin/users?*", lambda _: None)
    console.evaluate("location.hash = '#/user/ann'")
    expect(console.get_by_text("Loading")).to_be_visible()
    console.clock.fast_forward(31_000)
    expect(console.get_by_text("The service did not answer in 30 seconds")).to_be_visible()
    console.unroute("**/admin/users?*")
    console.get_by_role("button", name="Try again").click()
    expect(console.get_by_role("heading", name="Tasks")).to_be_visible()


def test_a_user_is_exported_and_purged(console: Page, service: str) -> None:
    send(service, "create-task", "ben", title="Buy cat food")
    go(console, "user/ben")
    with console.expect_download() as download:
        console.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == "user-ben.json"
    exported = json.loads(Path(download.value.path()).read_text())
    assert (exported["user_id"], exported["tasks"][0]["title"]) == ("ben", "Buy cat food")
    expect(console.get_by_text("Exported 2 kB")).to_be_visible()
    console.get_by_role("button", name="Purge").click()
    dialog = console.get_by_role("dialog", name="Purge the user ben?")
    dialog.get_by_role("button", name="Cancel").click()
    assert send(service, "get-stats", "ben")["total_tasks"] == 1
    console.get_by_role("button", name="Purge").click()
    dialog.get_by_role("button", name="Purge").click()
    expect(console.get_by_text("gone for good")).to_be_visible()
    assert send(service, "get-stats", "ben")["total_tasks"] == 0
    acts = ask(service, "GET", "/admin/audit")["acts"]
    done = {(act["act"], act["administrator"]) for act in acts if act["object"] == "user/ben"}
    assert done == {("user.exported", "admin"), ("user.purged", "admin")}


def test_an_id_that_hides_how_it_is_written_is_seen_through(console: Page, service: str) -> None:
    hidden = "\u202enna\u200b"
    send(service, "create-task", hidden, title="gnp\u202eexe")
    ask(service, "POST", "/admin/revocations", {"user_id": hidden, "reason": "Spam"})
    go(console, f"user/{quote(hidden)}")
    shown = "⟨U+202E⟩nna⟨U+200B⟩"
    expect(console.get_by_role("heading", level=1)).to_have_text(f"User {shown}")
    expect(console.get_by_role("cell", name="gnp⟨U+202E⟩exe")).to_be_visible()
    console.get_by_role("button", name="Purge").click()
    expect(console.get_by_role("dialog", name=f"Purge the user {shown}?")).to_be_visible()
    console.keyboard.press("Escape")
    go(console, "revocations")
    expect(console.get_by_role("cell", name=shown, exact=True)).to_be_visible()
    console.get_by_role("button", name=f"Lift the revocation of User {shown}").click()
    expect(console.get_by_role("dialog")).to_contain_text(f"User {shown}?")


def test_what_came_from_users_is_text_and_never_markup(console: Page, service: str) -> None:
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    console.on("dialog", refuse)
    send(service, "create-task", SCRIPT, title=SCRIPT)
    ask(service, "POST", "/admin/revocations", {"user_id": f"{SCRIPT}2", "reason": SCRIPT})
    go(console, "user")
    console.get_by_label("User id").fill(SCRIPT)
    console.keyboard.press("Enter")
    expect(console.get_by_role("cell", name=SCRIPT)).to_be_visible()
    for section in ("revocations", "audit"):
        go(console, section)
        expect(console.get_by_text(SCRIPT).first).to_be_attached()
    assert console.locator("main script, main img[src=x]").count() == 0
    assert asked == []
