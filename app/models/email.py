"""E-mail addresses, judged by their form: no name server is asked."""

from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError


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
