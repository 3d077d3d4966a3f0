"""The page about the API leaves out no error and no scope."""

from collections.abc import Iterator

import pytest

from app.commands.scopes import SCOPES
from app.errors import AppError
from tests.support.pages import API


def codes(error: type[AppError]) -> Iterator[str]:
    """The codes of this error and of those that extend it."""
    if error.code is not None:
        yield error.code
    for narrower in error.__subclasses__():
        yield from codes(narrower)


@pytest.mark.parametrize("code", sorted(set(codes(AppError))))
def test_every_code_of_an_error_is_explained(code: str) -> None:
    assert f"`{code}`" in API


@pytest.mark.parametrize("scope", [scope for scope in SCOPES if ":" in scope])
def test_every_scope_is_named(scope: str) -> None:
    assert f"`{scope}`" in API
