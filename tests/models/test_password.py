"""One password, however a system types it."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from app.models.account import NewPassword
from app.models.password import opaque, prepared

PLAIN = "Grüße an 7 Kater"
TYPED = {
    "decomposed": normalize("NFD", PLAIN),
    "no-break space": PLAIN.replace(" ", "\u00a0"),
    "ideographic space": PLAIN.replace(" ", "\u3000"),
    "narrow no-break space, decomposed": normalize("NFD", PLAIN).replace(" ", "\u202f"),
}


@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED)
def test_the_same_password_typed_elsewhere_is_the_same(typed: str) -> None:
    assert typed != PLAIN
    assert prepared(typed) == opaque(typed) == PLAIN


# RFC 8265, section 4.3: neither case nor width is mapped, and spaces stay as many as they are.
@pytest.mark.parametrize(
    "password", ["correct horse", "Correct Horse", "πßå", "Jack of ♦s", "\uff21\uff11"]
)
def test_what_may_tell_passwords_apart_is_kept(password: str) -> None:
    assert opaque(password) == password
    assert opaque("foo\u1680bar") == "foo bar"


@pytest.mark.parametrize(
    "char",
    [
        *("\t", "\n", "\x7f", "\x85", "\u00ad", "\u200b", "\u200d", "\u202e", "\u2028", "\u2029"),
        *("\ufeff", "\ufe0f", "\u3164", "\ue000", "\u0378", "\ufdd0", "\U000e0041", "\U000e0100"),
    ],
)
def test_new_password_has_nothing_that_is_typed_unseen(char: str) -> None:
    with pytest.raises(PydanticCustomError, match="control, invisible or unassigned"):
        opaque(f"Salmon-at-7{char}")


def test_length_is_that_of_the_prepared_password() -> None:
    password = TypeAdapter[str](NewPassword)
    assert password.validate_python("Gru\u0308\u00dfe-7\u00a0") == "Grüße-7 "
    with pytest.raises(ValidationError, match="must have at least 8 characters"):
        password.validate_python(normalize("NFD", "Àèìò-7a"))


@given(st.text(max_size=1024))
def test_preparing_again_changes_nothing(password: str) -> None:
    assert prepared(prepared(password)) == prepared(password)
