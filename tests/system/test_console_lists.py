"""The console's lists and forms: nothing is lost, shown twice or changed that nobody touched."""

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.console import ask, browser, console, go, settle

__all__ = ["browser", "console"]

pytestmark = pytest.mark.browser


def test_what_nobody_touched_in_a_form_is_not_changed(console: Page, service: str) -> None:
    allowed = ["ann, ben", " cleo"]
    members = {"key_name": "odd-users", "environment": "dev", "user_ids": allowed}
    path = f"/admin/service-keys/{ask(service, 'POST', '/admin/service-keys', members)['id']}"
    go(console, path.replace("/admin/service-keys", "keys"))
    assert console.locator(".facts bdi", has_text="ann, ben").count() == 1
    dialog = console.get_by_role("dialog")
    console.get_by_role("button", name="Change").click()
    dialog.get_by_label("Note").fill("Ann's")
    ask(service, "PATCH", path, {"rate_limit": "60/minute"})
    dialog.get_by_role("button", name="Change").click()
    expect(console.locator(".facts")).to_contain_text("Ann's")
    key = ask(service, "GET", path)
    assert (key["user_ids"], key["rate_limit"], key["note"]) == (allowed, "60/minute", "Ann's")
    console.get_by_role("button", name="Change").click()
    dialog.get_by_label("Users", exact=True).fill("ann, ben\n\n cleo\ndan")
    dialog.get_by_role("button", name="Change").click()
    expect(console.locator(".facts")).to_contain_text("dan")
    assert ask(service, "GET", path)["user_ids"] == [*allowed, "dan"]


def test_older_ones_are_loaded_once_and_the_focus_stays(console: Page) -> None:
    def fulfill(route: Route) -> None:
        first = "cursor" not in route.request.url
        rows = [_revocation(number) for number in (range(30) if first else range(30, 60))]
        route.fulfill(json={"revocations": rows, "next_cursor": rows[-1]["id"] if first else None})

    console.route("**/admin/revocations*", fulfill)
    go(console, "revocations")
    count = console.locator(".filter [role=status]")
    expect(count).to_have_text("30 of 30, older ones not loaded")
    console.get_by_role("button", name="Load older").evaluate("one => { one.click(); one.click() }")
    expect(count).to_have_text("60 of 60")
    following = console.get_by_role("button", name="Next")
    following.focus()
    for _ in range(4):
        console.keyboard.press("Enter")
    expect(console.get_by_text("Page 3 of 3")).to_be_visible()
    expect(following).to_be_focused()


def test_deliveries_come_by_state_and_page_by_page(console: Page) -> None:
    asked: list[dict[str, str]] = []

    def fulfill(route: Route) -> None:
        asked.append(dict(parse_qsl(urlsplit(route.request.url).query)))
        rows = [_delivery(number, asked[-1].get("state", "delivered")) for number in range(30)]
        route.fulfill(
            json={"deliveries": rows, "next_cursor": None if "cursor" in asked[-1] else 7}
        )

    console.route("**/webhooks/1", lambda route: route.fulfill(json=HOOK))
    console.route("**/webhooks/1/deliveries*", fulfill)
    go(console, "webhooks/1")
    count = console.locator(".filter [role=status]")
    expect(count).to_have_text("30 of 30, older ones not loaded")
    console.get_by_role("combobox", name="State", exact=True).select_option("failed")
    expect(console.locator("tbody").get_by_text("failed")).to_have_count(25)
    console.get_by_role("button", name="Load older").click()
    expect(count).to_have_text("60 of 60")
    failed = {"state": "failed"}
    assert asked == [{}, failed, {**failed, "cursor": "7"}]


def _delivery(number: int, state: str) -> dict[str, object]:
    nothing = dict.fromkeys(("attempted_at", "status", "duration_ms", "error", "next_attempt_at"))
    told = {"event": "task.created", "user_id": "ann", "occurred_at": "2026-11-26T10:00:00Z"}
    return {"id": f"{state}-{number}", "state": state, "attempts": 1, **told, **nothing}


def test_keys_are_asked_for_once_with_their_use(console: Page, service: str) -> None:
    asked: list[str] = []
    console.on("request", lambda request: asked.append(request.url.removeprefix(service)))
    go(console, "keys")
    expect(console.locator("tbody svg").first).to_have_attribute("aria-label", LAST_DAYS)
    assert [path for path in asked if "keys" in path] == ["/admin/service-keys?usage=true"]


LAST_DAYS = re.compile(r"Last 14 days: \d+ ok, \d+ refused, \d+ failed")


def _revocation(number: int) -> dict[str, str | None]:
    named = {"user_id": f"guest-{number}", "installation_id": None, "key_name": None}
    made = {"created_at": "2026-11-26T10:00:00Z", "created_by": "admin", "until": None}
    return {"id": str(number), "reason": "Spam", **named, **made}


def test_instants_are_found_as_they_are_shown_and_none_comes_last(
    console: Page, service: str
) -> None:
    soon = (datetime.now(UTC) + timedelta(days=40)).isoformat()
    for user_id, more in (("sooner", {"until": soon}), ("never", {})):
        ask(service, "POST", "/admin/revocations", {"user_id": user_id, "reason": "Late", **more})
    go(console, "revocations")
    search = console.get_by_label("Filter")
    search.fill("late")
    for _ in range(2):
        console.get_by_role("button", name="Until").click()
        expect(console.locator("tbody tr").last).to_contain_text("never")
    shown = console.get_by_role("row", name=re.compile("sooner")).locator("time").first
    for words in (shown.inner_text(), shown.get_attribute("title") or ""):
        search.fill(f"late {words}")
        expect(console.locator("tbody tr")).to_have_count(1)


def test_what_has_ended_is_not_lifted_and_only_what_works_is_rotated(
    console: Page, service: str
) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    ended = {"user_id": "guest", "reason": "Over soon", "until": until}
    ask(service, "POST", "/admin/revocations", ended)
    members = {"key_name": "brief", "environment": "dev", "expires_at": until}
    key = ask(service, "POST", "/admin/service-keys", members)
    console.wait_for_timeout(2500)
    go(console, "revocations")
    row = console.get_by_role("row", name=re.compile("Over soon"))
    expect(row).to_contain_text("ended")
    assert row.get_by_role("button").count() == 0
    go(console, f"keys/{key['id']}")
    expect(console.get_by_role("button", name="Change")).to_be_visible()
    assert console.get_by_role("button", name="Rotate").count() == 0


def test_what_does_not_load_says_why_and_is_tried_again(console: Page) -> None:
    def refuse(route: Route) -> None:
        route.abort("connectionrefused")

    for section in ("overview", "keys", "webhooks", "revocations", "audit", "user/ann"):
        console.route("**/admin/*", refuse)
        console.route("**/admin/users?*", refuse)
        go(console, "user")
        go(console, section)
        expect(console.get_by_role("alert")).to_have_text("The service does not answer")
        console.unroute_all()
        console.get_by_role("button", name="Try again").click()
        settle(console)
        expect(console.get_by_role("alert")).to_have_count(0)
        expect(console.get_by_role("heading", level=1)).to_be_focused()


PARTS = ("All webhooks", "Replay", "Deliveries", "Nothing was sent")


@pytest.mark.parametrize(
    ("wait", "body", "said"),
    [
        ("2", {}, "The service answered 429. Wait 2 seconds."),
        ("1", {"detail": "Too busy."}, "Too busy. Wait 1 second."),
    ],
)
def test_what_was_refused_and_how_long_to_wait_are_two_sentences(
    console: Page, wait: str, body: dict[str, str], said: str
) -> None:
    refusal = {"status": 429, "headers": {"Retry-After": wait}, "json": body}
    console.route("**/admin/audit", lambda route: route.fulfill(**refusal))
    go(console, "audit")
    expect(console.get_by_role("alert")).to_have_text(said)


HOOK = {
    "id": "1",
    "url": "https://cat.example",
    "events": ["*"],
    "enabled": True,
    "created_at": "2026-11-26T10:00:00Z",
    **dict.fromkeys(("user_ids", "description", "disabled_at", "failing_since")),
}


def test_what_comes_late_stands_where_it_belongs(console: Page) -> None:
    answers = {"webhooks": {"webhooks": [HOOK]}, "1": HOOK, "deliveries": {"deliveries": []}}
    held: list[Route] = []

    def fulfill(route: Route) -> None:
        route.fulfill(json=answers[route.request.url.rsplit("/", 1)[-1]])

    def hold(route: Route) -> None:
        held.append(route)

    console.route("**/admin/webhooks**", fulfill)
    for late, start in product(("1", "deliveries"), ("keys", "webhooks")):
        go(console, start)
        console.route(f"**/{late}", hold)
        console.evaluate("location.hash = '#/webhooks/1'")
        expect(console.locator(".busy")).to_have_count(1)
        fulfill(held.pop())
        settle(console)
        console.unroute(f"**/{late}")
        text = console.locator("main").inner_text()
        places = [text.index(part) for part in PARTS]
        assert places == sorted(places), (late, start)


def test_a_dialog_that_the_browser_closes_opens_again(console: Page) -> None:
    go(console, "keys")
    for _ in range(2):
        console.get_by_role("button", name="Mint a key").click()
        expect(console.get_by_role("dialog")).to_be_visible()
        console.locator("dialog").evaluate("dialog => dialog.close()")
        expect(console.locator("dialog")).to_have_count(0)
