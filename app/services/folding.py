"""Text as it is searched and ordered: the same on every PostgreSQL, whatever its locale.

The service folds what is not ASCII and stores that beside the text. A fold counts only while the
hash beside it is the text's own: whoever writes the text alone, by hand or in an earlier version
of this service, makes it void. ASCII, and what is not folded yet, is lowered by PostgreSQL.
"""

import asyncio
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category, combining, normalize

SEARCHED_CHARACTERS = 2000
"""How far into a description a search looks: further, each of many long ones would take ms."""


def searched(description: str) -> str:
    """The SQL of that part of a description."""
    return f"left({description}, {SEARCHED_CHARACTERS})"


def _valid(hashed: str, text: str, fold: str) -> str:
    return f"""CASE WHEN {hashed} = hashtext({text}) THEN {fold}
        ELSE lower({text} COLLATE "C") END"""


FOLDED_TITLE = _valid("title_hash", "title", "folded_title")
FOLDED_DESCRIPTION = _valid("description_hash", searched("description"), "folded_description")
TITLE_KEY = f'({_valid("title_hash", "title", "title_key")}) COLLATE "C"'


_MOST_MARKS = 30
"""On one letter, as in Unicode's Stream-Safe Text Format: the time for more grows by the square."""
_SIGNS = re.compile(rf"[^\w\s\x00-\x7f]{{{_MOST_MARKS + 1},}}")
"""Where so many marks might be: none of them is a letter, a digit or a blank."""


def _few_marks(signs: re.Match[str]) -> str:
    kept, marks = [], 0
    for sign in signs[0]:
        marks = marks + 1 if category(sign)[0] == "M" else 0
        if marks <= _MOST_MARKS:
            kept.append(sign)
    return "".join(kept)


def fold(text: str) -> str:
    """Text without regard to case and to how its accents are encoded, in any script."""
    text = _SIGNS.sub(_few_marks, text)
    # Twice, as Unicode's canonical caseless matching: folding may undo what was normalized.
    folded = normalize("NFC", normalize("NFD", text).casefold())
    # The i without and with a dot, of which Turkish makes two letters.
    return folded.replace("i\u0307", "i").replace("\u0131", "i")


class Folds(NamedTuple):
    """What is stored beside a text that is not ASCII; None beside one that is."""

    title: str | None
    title_key: str | None
    description: str | None

    @classmethod
    def of(cls, title: str, description: str | None) -> "Folds":
        """Those of a task's texts."""
        beginning = (description or "")[:SEARCHED_CHARACTERS]
        shown = None if title.isascii() else fold(title)
        key = None if shown is None else dictionary_key(shown)
        return cls(shown, key, None if beginning.isascii() else fold(beginning))


_AT_ONCE = 10
"""Texts of the worst kind that are folded without a break: 25 ms."""


async def folds_of(texts: Iterable[tuple[str, str | None]]) -> list[Folds]:
    """Those of many titles and descriptions; others have their turn meanwhile."""
    made = []
    for number, (title, description) in enumerate(texts, start=1):
        made.append(Folds.of(title, description))
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return made


FOLDS = "folded_title, title_key, title_hash, folded_description, description_hash"
"""The columns of a task in which they are stored, with the hashes that keep them valid."""


def folds(first: int, title: str, description: str) -> tuple[str, ...]:
    """The SQL of what those columns hold; a Folds is the parameters from this number on."""
    title_fold, key, description_fold = (f"${number}" for number in range(first, first + 3))
    return (
        title_fold,
        key,
        _hashed(title_fold, title),
        description_fold,
        _hashed(description_fold, searched(description)),
    )


def _hashed(fold: str, text: str) -> str:
    return f"CASE WHEN {fold}::text IS NOT NULL THEN hashtext({text}) END"


def refolded(writes: str, first: int, title: str, description: str) -> str:
    """The same as assignments of an UPDATE, where `writes` says that it writes the text named."""
    values = zip(FOLDS.split(", "), folds(first, title, description), strict=True)
    return ",\n".join(
        f"{column} = CASE WHEN {writes.format(_text_of(column))} THEN {value} "
        f"ELSE tasks.{column} END"
        for column, value in values
    )


def _text_of(column: str) -> str:
    return "title" if "title" in column else "description"


_AFTER = "\U0010ffff"
_VARIANTS = {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t"}
# Letters of their own behind another one, in alphabets that Unicode has scattered.
_NEIGHBOURS = ["гґ", "дђѓ", "еє", "зѕ", "иіїйј", "лљ", "нњ", "тћќ", "уў", "чџ", "nŋ", "tþ"]
_LETTERS = _VARIANTS | {
    follower: f"{letters[0]}{_AFTER}{number}"
    for letters in _NEIGHBOURS
    for number, follower in enumerate(letters[1:])
}


def dictionary_key(folded: str) -> str:
    """By what folded text is ordered as in a dictionary, compared byte by byte.

    Its letters come first, accents decide between what is otherwise the same.
    """
    letters = "".join(map(_letter, folded))
    return folded if letters == folded else f"{letters}\x01{folded}"


_VIRAMA = 9


@lru_cache(4096)
def _letter(character: str) -> str:
    """The letter without its accents; signs come before all letters, marks do not count."""
    if character.isascii():
        return character
    if (letter := _LETTERS.get(character)) is not None:
        return letter
    if "ァ" <= character <= "ヶ":
        character = chr(ord(character) - 0x60)  # as in hiragana
    if category(character)[0] in "PSZ":
        return f" {character}"
    return "".join(part for part in normalize("NFD", character) if not _is_mark(part))


def _is_mark(part: str) -> bool:
    """Whether it is an accent, a point or not seen; vowel signs and viramas are letters."""
    return combining(part) not in (0, _VIRAMA) or category(part) in ("Cc", "Cf")
