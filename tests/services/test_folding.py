"""What folds, and what is ordered before what; both without any database."""
# ruff: noqa: RUF001 - letters that look alike are what it is about

import asyncio
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.folding import (
    SEARCHED_CHARACTERS,
    Folds,
    dictionary_key,
    fold,
    folds_of,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ПРИВЕТ", "привет"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("STRASSE", "straße"),
        ("ԲԱՐԵՎ", "բարեվ"),
        ("\u13a0", "\uab70"),  # Cherokee
        ("\U00010400", "\U00010428"),  # Deseret
        ("İSTANBUL", "istanbul"),
        ("IŞIK", "\u0131ş\u0131k"),
        ("caf\u00e9", "cafe\u0301"),
        ("\u1e69", "s\u0307\u0323"),
        ("각", "\u1100\u1161\u11a8"),
        ("\u212b", "\u00c5"),
    ],
)
def test_case_and_encoding_of_accents_do_not_matter(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize("mark", ["\u0301", "\u0344", "\u0f73", "\u05b0"])
def test_thirty_marks_on_a_letter_are_told_apart_and_no_more(mark: str) -> None:
    few, many = (f"a{mark * number}b" for number in (30, 2000))
    assert fold(f"a{mark * 29}b") != fold(few) == fold(many)
    assert fold(f"{few}a") == fold(f"{many}a") != fold(many)


def test_signs_that_are_no_marks_all_stay() -> None:
    assert fold("\N{CAT FACE}" * 100 + "É") == "\N{CAT FACE}" * 100 + "é"


async def test_others_have_their_turn_while_many_texts_are_folded() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    folded = await folds_of([("É", f"Ü{number}") for number in range(100)])
    counting.cancel()
    assert folded == [Folds.of("É", f"Ü{number}") for number in range(100)]
    assert turns >= 9


@pytest.mark.parametrize(("one", "other"), [("cafe", "café"), ("иск", "йск"), ("か", "が")])
def test_accents_do_matter(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(texts)
def test_every_spelling_of_a_text_folds_to_the_same(text: str) -> None:
    for form in ("NFC", "NFD"):
        assert fold(normalize(form, text)) == fold(text)
    assert fold(text.upper().lower()) == fold(text.upper())
    assert not any("A" <= character <= "Z" for character in fold(text))


@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_ascii_is_lowered_and_needs_no_fold(text: str) -> None:
    assert fold(text) == dictionary_key(fold(text)) == text.lower()
    assert Folds.of(text, text) == (None, None, None)


@pytest.mark.parametrize(
    "words",
    [
        "Apfel Äpfel apfelmus Éclair eclipse lwa łza Œuvre ohne øre oz Straße Strauß zoo",
        "гора ґанок дім ёлка жук індик їжак йод казка яма",
        "άλφα βήτα Ωμέγα",
        "あお カメラ かめん さくら サクラ ざる",
        "가나 각 나라",
        "क का कि ख",
    ],
)
def test_letters_are_in_the_order_of_a_dictionary(words: str) -> None:
    backwards = words.split()[::-1]
    assert sorted(backwards, key=lambda word: dictionary_key(fold(word))) == words.split()


def test_signs_come_before_letters() -> None:
    expected = ["«quoted»", "— dash", "🐈", "a"]
    assert sorted(expected, key=lambda text: dictionary_key(fold(text))) == expected


def test_of_a_description_the_part_that_is_searched_is_folded() -> None:
    long = "a" * SEARCHED_CHARACTERS + "Ä"
    assert Folds.of("Ä", long) == ("ä", "a\x01ä", None)
    assert Folds.of("a", "Ä" * 5000).description == "ä" * SEARCHED_CHARACTERS
