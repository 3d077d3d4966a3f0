"""The page about the API leaves out no error and no scope."""

import re
from collections.abc import Iterator

import pytest

from app.commands.scopes import SCOPES
from app.errors import AppError
from tests.support.pages import API

ERRORS = {
    (int(status), code)
    for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \| .+ \|$", API, re.MULTILINE)
}
"""The rows of the table of errors that have a code."""


def codes(error: type[AppError]) -> Iterator[tuple[int, str]]:
    """Status and code of this error and of those that extend it."""
    if error.code is not None:
        yield error.status, error.code
    for narrower in error.__subclasses__():
        yield from codes(narrower)


@pytest.mark.parametrize("error", sorted(set(codes(AppError))), ids=lambda error: error[1])
def test_every_error_with_a_code_has_a_row_in_the_table(error: tuple[int, str]) -> None:
    assert error in ERRORS


def test_the_table_has_no_code_that_nothing_has() -> None:
    assert {code for _, code in ERRORS} == {code for _, code in codes(AppError)}


@pytest.mark.parametrize("scope", [scope for scope in SCOPES if ":" in scope])
def test_every_scope_is_named(scope: str) -> None:
    assert f"`{scope}`" in API
