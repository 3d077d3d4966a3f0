"""Whatever a page points at is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages import PAGES
from tests.support.service import ROOT

_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_PATH = re.compile(
    r"(?<![\w/.])(?:app|tests|bench|docs|deploy|terraform|alembic|\.github)/[\w./-]*\w"
)
_MENTION = re.compile(r"(?<![\w/])(docs/[\w/-]+\.md)(?:#([\w-]+))?")
_FOLDERS = ("app", "alembic", "bench", "deploy", "terraform", ".github", "tests")


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`, as GitHub makes it of the headings."""
    found: list[str] = []
    for heading in _HEADING.findall(prose(page)):
        text = _LINK.sub(lambda link: link.group(0).split("](")[0].strip("!["), heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def is_there(page: Path, anchor: str) -> bool:
    """Whether the page exists and has the anchor, where one is named."""
    return page.exists() and (not anchor or anchor in anchors(page))


def mentions() -> Iterator[tuple[str, str, str]]:
    """Pages that code names: where, which, and which part of it."""
    for folder in _FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".tf", ".yaml", ".yml"} and ".terraform" not in path.parts:
                for page, anchor in _MENTION.findall(path.read_text()):
                    yield str(path.relative_to(ROOT)), page, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if not re.match(r"\w+:", link):
            target, _, anchor = link.partition("#")
            assert is_there((page.parent / target) if target else page, anchor), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    if page.name != "CHANGELOG.md":  # it tells what was
        for path in _PATH.findall("\n".join(_CODE.findall(prose(page)))):
            assert (ROOT / path).exists(), path


def test_every_page_that_code_names_exists() -> None:
    missing = [one for one in mentions() if not is_there(ROOT / one[1], one[2])]
    assert missing == []


def test_the_index_of_decisions_names_every_page() -> None:
    folder = ROOT / "docs/decisions"
    named = set(_LINK.findall((folder / "README.md").read_text()))
    assert {page.name for page in folder.glob("0*.md")} <= named
