"""Secrets that users keep here: their API keys for other services."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, Field, SecretStr
from pydantic_core import PydanticCustomError

Provider = Annotated[Literal["gemini"], Field(description="Whose API key it is.")]
ValidationStatus = Literal["success", "failure"]


_PATTERN = "^[!-~]{20,500}$"


def _header_safe(secret: SecretStr) -> SecretStr:
    if re.fullmatch(_PATTERN, secret.get_secret_value()) is None:
        raise PydanticCustomError("api_key", "must be 20 to 500 visible ASCII characters")
    return secret


SecretValue = Annotated[
    SecretStr,
    AfterValidator(_header_safe),
    Field(
        examples=["example-key-of-20-characters-or-more"], json_schema_extra={"pattern": _PATTERN}
    ),
]


def masked(secret: SecretStr) -> str:
    """What may be shown: the first four and the last three characters."""
    value = secret.get_secret_value()
    return f"{value[:4]}...{value[-3:]}"


class UserSecret(BaseModel):
    """A secret as its user may see it. The status and instant are those of the last test."""

    provider: Provider
    masked_key: str
    validation_status: ValidationStatus | None
    last_validated_at: datetime | None
    created_at: datetime
    updated_at: datetime


class RevealedSecret(UserSecret):
    """A secret for a service that uses it; null where it cannot be decrypted."""

    plaintext_key: str | None


class Verdict(NamedTuple):
    """Whether a provider accepted a secret, as a word and as a sentence."""

    status: ValidationStatus
    message: str


class Providers:
    """Asks the providers, each by a function of its own, whether a secret is good."""

    def __init__(self, checks: Mapping[Provider, Callable[[str], Awaitable[Verdict]]]) -> None:
        self._checks = checks

    async def check(self, provider: Provider, secret: str) -> Verdict:
        """The verdict of this provider on the secret."""
        return await self._checks[provider](secret)


class SecretCipher:
    """What encrypts secrets; `app.database.encryption` has the one there is."""

    def encrypt(self, text: str) -> bytes:
        """What may be stored."""
        raise NotImplementedError

    def decrypt(self, encrypted: bytes) -> str | None:
        """The text; None where it cannot be read any more."""
        raise NotImplementedError
