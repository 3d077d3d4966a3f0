"""E-mail addresses, judged by their form: no name server is asked."""

import re
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from app.models.text import Check


def _normalized(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        # Its own message quotes the address.
        raise PydanticCustomError(
            "value_error.email", "value is not a valid email address"
        ) from None


Email = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(_normalized),
    Field(json_schema_extra={"format": "email"}, examples=["maria@test-azollon.com"]),
]
"""An address that somebody noted, in any script; mail is not sent to it."""

_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# RFC 5321 without quoting: no space, no control character, nothing that could end a header.
_MAILBOX = rf"^(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+$"


def _mailbox(value: str) -> str:
    if not re.fullmatch(_MAILBOX, value):
        raise PydanticCustomError("email", "must be an e-mail address")
    return value


Mailbox = Annotated[
    str,
    StringConstraints(max_length=254, to_lower=True),
    Check(_mailbox, _MAILBOX),
    Field(
        description="Stored in lower case.",
        examples=["whiskers@example.com"],
        json_schema_extra={"format": "email"},
    ),
]
"""An address that mail is sent to or from, also in a domain that only the deployment knows."""
