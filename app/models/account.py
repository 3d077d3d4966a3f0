"""Accounts: what one registers and logs in with, and what is told about it."""

import re
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic_core import PydanticCustomError

from app.models.email import Mailbox
from app.models.password import opaque
from app.models.text import STORABLE, VISIBLE, Check

_SHORTEST = 8
_STRONG = (
    r"^(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])(?=[^0-9]*[0-9])(?=[A-Za-z0-9]*[^A-Za-z0-9])"
    r"[^\x00-\x1f\x7f-\x9f]*$"
)


def _strong(value: str) -> str:
    if len(value) < _SHORTEST:  # composed by now
        raise PydanticCustomError("too_short", "must have at least 8 characters")
    if not re.fullmatch(_STRONG, value):
        raise PydanticCustomError(
            "weak_password",
            "must have an upper-case letter, a lower-case letter, a digit and a special character",
        )
    return value


NewPassword = Annotated[
    str,
    StringConstraints(min_length=_SHORTEST, max_length=128),
    STORABLE,
    AfterValidator(opaque),
    Check(_strong, _STRONG),
    Field(
        description="With an upper-case letter, a lower-case letter, a digit and a special "
        "character, and none that is invisible. Composed, and with plain spaces, as RFC 8265 asks.",
        examples=["Salmon-at-7"],
        json_schema_extra={"format": "password"},
    ),
]


class NewAccount(BaseModel):
    """A new account."""

    email: Mailbox
    password: NewPassword
    full_name: Annotated[
        str, StringConstraints(max_length=200), VISIBLE, Field(examples=["Whiskers"])
    ]


class Credentials(BaseModel):
    """An address and a password. Malformed ones are answered as wrong ones are."""

    email: Annotated[
        str, StringConstraints(max_length=254), STORABLE, Field(examples=["whiskers@example.com"])
    ]
    password: Annotated[
        str,
        StringConstraints(max_length=1024),
        STORABLE,
        Field(examples=["Salmon-at-7"], json_schema_extra={"format": "password"}),
    ]


class RefreshRequest(BaseModel):
    """The refresh token to exchange."""

    # Whatever text is none of ours is a wrong token, not a malformed request.
    refresh_token: Annotated[str, Field(examples=["0199d1a8" + "5e" * 44])]


class Account(BaseModel):
    """An account as its holder sees it."""

    id: UUID
    email: str
    full_name: str
    is_active: Annotated[bool, Field(description="Whether the address is verified.")]


class Tokens(BaseModel):
    """An access token, valid for an hour, and a refresh token, valid for 7 days."""

    access_token: str
    refresh_token: Annotated[str, Field(description="Good for one exchange.")]
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the scheme's name


class Registered(Tokens):
    """A new account and its first tokens."""

    user: Account


class LoggedIn(Tokens):
    """New tokens of an account."""

    expires_in: Annotated[int, Field(description="Seconds for which the access token works.")]
