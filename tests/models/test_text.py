import json
import re
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.models.call import CallTitle
from app.models.category import CategoryName
from app.models.contact import Name
from app.models.task import Description, Tag, Title
from app.models.task_list import Search
from app.models.text import UserId

LIMITS: list[tuple[Any, int]] = [(Title, 500), (Description, 100_000), (UserId, 255)]
TEXT_TYPES = [text_type for text_type, _ in LIMITS]


def accepts(text_type: Any, value: object) -> bool:
    try:
        return bool(TypeAdapter(text_type).validate_python(value) == value)
    except ValidationError:
        return False


@pytest.mark.parametrize(("text_type", "limit"), LIMITS)
def test_limit_counts_characters_and_is_inclusive(text_type: Any, limit: int) -> None:
    assert accepts(text_type, "🐈" * limit)
    assert not accepts(text_type, "🐈" * (limit + 1))


@pytest.mark.parametrize("text_type", TEXT_TYPES)
@pytest.mark.parametrize("text", ["a\x00b", "\x00", "a\ud800b", "\udfff", "\ude00\ud83d"])
def test_what_postgresql_cannot_store_is_refused(text_type: Any, text: str) -> None:
    assert not accepts(text_type, text)


@pytest.mark.parametrize("text_type", TEXT_TYPES)
@pytest.mark.parametrize("value", [None, 1, 1.5, True, ["a"], {"a": "b"}])
def test_other_json_types_are_no_text(text_type: Any, value: object) -> None:
    assert not accepts(text_type, value)


FILLERS = "\u115f\u1160\u2800\u3164\uffa0"
BLANK = [
    *("", " ", "\t\n ", "\u00a0", "\u2003\u3000", "\u200b", "\ufeff", "\u2060", "\u200e\u200f"),
    *("\u202a\u202c", "\u2066 \u2069", "\u00ad", "\u034f", "\u180e", "\ufe0f", "\x7f\x85"),
    *("\U000e0041\U000e007f", "\U000e0100", FILLERS, " \u200b\n"),
]


@pytest.mark.parametrize("text_type", [Title, Tag, CategoryName, Name, CallTitle, Search])
@pytest.mark.parametrize("text", BLANK, ids=ascii)
def test_text_that_shows_nothing_is_blank_where_blank_is_refused(text_type: Any, text: str) -> None:
    assert not accepts(text_type, text)
    assert not accepts(text_type, text * 3)  # as long as a name has to be
    pattern = TypeAdapter(text_type).json_schema()["pattern"]
    assert not text.isascii() or re.search(pattern, text) is None


@pytest.mark.parametrize(
    "text", ["a\u200b", "\u2066cat\u2069", "👩\u200d🚀", "❤\ufe0f", "क्\u200dष", "\u0600", "…"]
)
def test_what_shapes_or_directs_text_is_no_matter_beside_it(text: str) -> None:
    assert accepts(Title, text)
    assert re.search(TypeAdapter(Title).json_schema()["pattern"], text)


def test_title_keeps_its_surrounding_spaces() -> None:
    assert accepts(Title, "  Feed cat\n")


@pytest.mark.parametrize(("name_type", "limit"), [(Tag, 100), (CategoryName, 50)])
def test_names_are_composed_and_measured_so(name_type: Any, limit: int) -> None:
    validate = TypeAdapter(name_type).validate_python
    assert validate("Cafe\u0301") == "Café"
    assert validate("o\u031b\u0309" * limit) == "ở" * limit
    for too_long in ("क़" * limit, "é" * (limit + 1), "a" + "\u0301" * 100_000):  # क़ is two
        with pytest.raises(ValidationError, match="at most"):
            validate(too_long)


def test_a_name_of_three_characters_has_them_when_composed() -> None:
    assert not accepts(CategoryName, "Ae\u0301")


def test_empty_description_is_text_but_empty_user_id_is_none() -> None:
    assert accepts(Description, "")
    assert not accepts(UserId, "")


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=50))
def test_every_other_text_is_kept_as_it_is(text: str) -> None:
    assert accepts(Description, text)
    if any(category(character)[0] in "LNPS" for character in text if character not in FILLERS):
        assert accepts(Title, text)
    elif not text.strip():
        assert not accepts(Title, text)


@pytest.mark.parametrize("text_type", TEXT_TYPES)
@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udc00x"])
def test_refusal_does_not_echo_the_text(text_type: Any, escape: str) -> None:
    text = json.loads(f'"secret{escape}"')
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(text_type).validate_python(text)
    (error,) = refused.value.errors(include_input=False)
    assert "secret" not in str(error)


@pytest.mark.parametrize(("text_type", "limit"), LIMITS)
def test_json_schema_tells_clients_of_limit_and_pattern(text_type: Any, limit: int) -> None:
    schema = TypeAdapter(text_type).json_schema()
    assert schema["maxLength"] == limit
    assert "\\x00" in schema["pattern"]
