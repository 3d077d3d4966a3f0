"""Text of strangers in the log: short, and nothing that hides, turns round or steers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app import logs
from tests.test_logs import KEY, PRODUCTION, command, lines_of, logged_database

__all__ = ["logged_database"]
KIB = 1024
NASTY = {
    "terminal": "\x1b]0;owned\x07",
    "C1": "\x9b31m",
    "delete": "\x7f",
    "next line": "\x85",
    "line separator": "\u2028",
    "right to left": "\u202e",
    "isolate": "\u2066",
    "zero width": "\u200b",
    "tag": "\U000e0041",
    "line feed": "\n",
}
LONG = {
    "plain": "x" * 70_000,
    "cat": "🐈" * 70_000,
    "quotes": '"' * 70_000,
    "escape": "\x1b" * 70_000,
    "tags": "\U000e0041" * 70_000,
    "mixed": '🐈"\x1b\u202e' * 20_000,
    "255 cats": "🐈" * 255,
}


def rendered(processors: Callable[[], list[Any]], **entry: Any) -> str:
    for processor in processors():
        entry = processor(None, "info", entry)
    return entry.decode() if isinstance(entry, bytes) else str(entry)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_what_is_not_to_be_seen_is_escaped(text: str) -> None:
    line = rendered(logs._json, event="request", path=f"/a{text}b", doors=[text], **{text: 1})
    assert line.isprintable()
    assert json.loads(line)["path"] == f"/a{text}b"
    for given in (f"/a{text}b", f"/a {text}b"):
        assert rendered(logs._console, event=given, path=given, doors=[text]).isprintable()


def test_what_can_be_seen_stays_as_it_is() -> None:
    for text in ("Grüße 🐈", "ελληνικά", "日本語", 'quo"te\\'):
        line = rendered(logs._json, event="request", user_id=text)
        assert json.loads(line)["user_id"] == text
        assert text.replace("\\", r"\\").replace('"', r"\"") in line


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_value_takes_at_most_a_kibibyte_of_a_line(text: str) -> None:
    whole = len(rendered(logs._json, event="request").encode())
    line = rendered(logs._json, event="request", user_id=text)
    assert KIB - 60 < len(line.encode()) - whole <= KIB
    kept = json.loads(line)["user_id"]
    assert kept.endswith("…")
    assert text.startswith(kept[:-1])
    assert len(rendered(logs._console, event="request", user_id=text).encode()) <= KIB + 60


@pytest.mark.parametrize("text", ["x" * 1000, "x" * 251, "ü" * 500, "🐈" * 250, '"' * 500])
def test_what_fits_is_whole(text: str) -> None:
    assert json.loads(rendered(logs._json, event="request", user_id=text))["user_id"] == text


def test_traceback_is_whole_and_escaped() -> None:
    error = RuntimeError("\x1b[2J\u202e\ud800" + "x" * 5000)
    line = rendered(logs._json, event="unexpected_error", exc_info=error)
    assert line.isprintable()
    assert json.loads(line)["exception"].endswith("\x1b[2J\u202e\ud800" + "x" * 5000)
    printed = rendered(logs._console, event="unexpected_error", exc_info=error)
    assert r"\u001b[2J\u202e" in printed
    assert "x" * 5000 in printed
    assert all(line.isprintable() for line in printed.split("\n"))


def test_paths_and_user_ids_of_strangers_are_one_printable_line_each(logged_database: str) -> None:
    path = "/%E2%80%AE%C2%9B31m%1B%5D0;x%07%E2%80%A8"
    requests = [
        {"method": "GET", "url": path},
        {"method": "GET", "url": path * 100},
        command(KEY, "nasty", user_id="\u202e\x1b\u2028" * 85),
        command(KEY, "cats", user_id="🐈" * 255),
    ]
    for environment in ("production", "development"):
        settings = {**PRODUCTION, "ENVIRONMENT": environment, "DATABASE_URL": logged_database}
        lines = lines_of(requests, **settings)
        about = [line for line in lines if "request_id" in line]
        assert len(about) == 4
        assert all(line.isprintable() for line in lines)
        assert max(len(line.encode()) for line in about) < 1.5 * KIB
