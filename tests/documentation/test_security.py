import re

from tests.support.service import ROOT


def test_every_test_that_the_security_table_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/security.md").read_text()))
    sources = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    existing = set(re.findall(r"def (test_\w+)", "\n".join(sources)))
    assert named
    assert named <= existing
