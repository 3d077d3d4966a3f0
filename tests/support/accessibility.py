"""What keeps people out of a page, as axe-core finds it."""

import json
import shutil
import subprocess
import tarfile

import pytest
from playwright.sync_api import Page

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


def faults(page: Page, axe: str) -> list[str]:
    """What axe finds, and whether there is more than the width shows."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"() => {{ {axe} }}")
    result = page.evaluate("axe.run(document)")
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    nodes = [
        f"{fault['id']}: {json.dumps(node['target'])} {node['failureSummary']}"
        for fault in result["violations"]
        for node in fault["nodes"]
    ]
    return [*nodes, *(["it scrolls sideways"] if wide else [])]
