"""The console: for everybody, on any screen, and for nobody who guesses keys."""

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.console import (
    SECTIONS,
    ask,
    browser,
    console,
    enter,
    go,
    picture,
    send,
)

__all__ = ["browser", "console"]

pytestmark = pytest.mark.browser
AXE = "axe-core@4.14.1"


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from its package."""
    folder = tmp_path_factory.mktemp("axe")
    if shutil.which("npm") is None:
        pytest.skip("NO NPM FOUND: install it to look for what keeps people out")
    pack = subprocess.run(
        ["npm", "pack", AXE], check=False, cwd=folder, capture_output=True, timeout=120
    )
    if pack.returncode:
        pytest.skip(f"NO {AXE} FROM NPM: {pack.stderr.decode()[-200:]}")
    with tarfile.open(next(folder.glob("*.tgz"))) as package:
        package.extract("package/axe.min.js", folder, filter="data")
    return (folder / "package/axe.min.js").read_text()


@pytest.fixture(scope="module")
def pages(service: str) -> list[str]:
    """Every place of the console, each with something to show."""
    long_id = "x" * 200
    send(service, "create-task", long_id, title="Buy cat food for " + "Whiskers" * 20)
    ask(service, "POST", "/admin/revocations", {"installation_id": long_id, "reason": "r" * 200})
    body = {"key_name": "k" * 100, "environment": "prod", "note": "n" * 300}
    key = ask(service, "POST", "/admin/service-keys", body)
    return [*SECTIONS, f"keys/{key['id']}", f"user/{long_id}"]


DIALOGS = (("keys", "Mint a key"), ("revocations", "Revoke access"))


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_section_keeps_anybody_out_or_scrolls_sideways(
    browser: Browser, service: str, pages: list[str], axe: str, width: int, scheme: Any
) -> None:
    view = {"width": width, "height": 800}
    page = browser.new_page(viewport=view, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type] # as documented
    page.goto(f"{service}/admin/console")
    expect(page.get_by_label("Admin key")).to_be_visible()
    found = {"sign in": _found(page, axe)}
    enter(page, service)
    for place in pages:
        go(page, place)
        found[place] = _found(page, axe)
        picture(page, f"{place.replace('/', '-')[:12]}-{width}-{scheme}")
    for place, button in DIALOGS:
        go(page, place)
        page.get_by_role("button", name=button).click()
        found[button] = _found(page, axe)
        picture(page, f"{place}-dialog-{width}-{scheme}")
        page.keyboard.press("Escape")
    page.close()
    assert {place: faults for place, faults in found.items() if faults} == {}


def _found(page: Page, axe: str) -> list[str]:
    """What axe finds, and whether there is more than the width shows."""
    page.evaluate(axe)
    result = page.evaluate("axe.run(document)")
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    nodes = [
        f"{fault['id']}: {json.dumps(node['target'])} {node['failureSummary']}"
        for fault in result["violations"]
        for node in fault["nodes"]
    ]
    return [*nodes, *(["it scrolls sideways"] if wide else [])]


def test_it_is_small_and_shown_within_a_second(browser: Browser, service: str) -> None:
    page, sizes = browser.new_page(), list[int]()
    page.on("response", lambda answer: sizes.append(len(answer.body())))
    started = perf_counter()
    page.goto(f"{service}/admin/console")
    expect(page.get_by_label("Admin key")).to_be_visible()
    seconds = perf_counter() - started
    page.wait_for_load_state("networkidle")
    page.close()
    print(f"{sum(sizes)} bytes, shown after {seconds:.2f} s")  # noqa: T201 - with -s
    folder = Path(__file__).parents[2] / "app/doors/admin/console/files"
    assert sum(sizes) <= sum(path.stat().st_size for path in folder.iterdir()) < 150_000


def test_whoever_guesses_keys_is_told_to_wait(console: Page) -> None:
    guess = "(key) => fetch('/admin/status', {headers: {'X-Admin-Key': key}}).then(a => a.status)"
    console.evaluate(f"({guess})('wrong')")
    console.get_by_role("button", name="Sign out").click()
    statuses = [console.evaluate(f"({guess})('wrong {number}')") for number in range(6)]
    assert statuses[-1] == 429
    console.get_by_label("Admin key").fill("another guess")
    console.keyboard.press("Enter")
    expect(console.get_by_role("alert")).to_contain_text("Wait")
