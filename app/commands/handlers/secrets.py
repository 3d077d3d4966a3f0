"""What users may do with the API keys they keep here. Only they, and services in their name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from app.commands.action import Context, action
from app.errors import NotFound
from app.models.caller import PEOPLE
from app.models.secret import (
    Check,
    Provider,
    RevealedSecret,
    SecretValue,
    UserSecret,
    Verdict,
    masked,
)
from app.services import secrets

if TYPE_CHECKING:
    from app.database.encryption import Cipher

_EXAMPLE = "example-key-of-20-characters-or-more"
_UNREADABLE = Verdict("failure", "The API key can no longer be read; store it again")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretContext(Context):
    """Brings what encrypts secrets, and who can tell whether they are good."""

    cipher: "Cipher"
    checks: Mapping[Provider, Check]


class NamedSecret(BaseModel):
    """Names one secret of the user."""

    provider: Provider = "gemini"


class SetUserSecret(NamedSecret):
    """The secret to keep."""

    value: SecretValue


@action(
    scope="secrets:write",
    writes=True,
    single_statement=True,
    allow=PEOPLE,
    examples=({"value": _EXAMPLE},),
)
async def set_user_secret(context: SecretContext, payload: SetUserSecret) -> UserSecret:
    """Encrypts and keeps the user's API key for a provider, in place of the one before.

    The provider is not asked.
    """
    encrypted = context.cipher.encrypt(payload.value.get_secret_value())
    return await secrets.upsert_secret(
        context.db, context.user_id, payload.provider, encrypted, masked(payload.value)
    )


class GetUserSecret(NamedSecret):
    """Names the secret to show."""


@action(scope="secrets:read", allow=PEOPLE, raises=(NotFound,), examples=({},))
async def get_user_secret(
    context: SecretContext, payload: GetUserSecret
) -> UserSecret | RevealedSecret:
    """Shows what is known of the user's API key; the key itself only to services."""
    stored = await secrets.fetch_secret(context.db, context.user_id, payload.provider)
    if context.caller.kind != "delegate":
        return stored.secret
    plaintext = context.cipher.decrypt(stored.encrypted_value)
    return RevealedSecret.model_construct(**vars(stored.secret), plaintext_key=plaintext)


class TestUserSecret(NamedSecret):
    """Names the secret to test."""


@action(
    scope="secrets:write",
    writes=True,
    single_statement=True,  # two, and no transaction may stay open while the provider is asked
    allow=PEOPLE,
    raises=(NotFound,),
    examples=({},),
)
async def test_user_secret(context: SecretContext, payload: TestUserSecret) -> Verdict:
    """Asks the provider whether it accepts the user's API key, and notes the outcome."""
    stored = await secrets.fetch_secret(context.db, context.user_id, payload.provider)
    verdict, encrypted_anew = _UNREADABLE, stored.encrypted_value
    value = context.cipher.decrypt(stored.encrypted_value)
    if value is not None:
        verdict = await context.checks[payload.provider](value)
        encrypted_anew = context.cipher.encrypt(value)
    await secrets.record_test(
        context.db,
        context.user_id,
        payload.provider,
        tested=stored.encrypted_value,
        encrypted_anew=encrypted_anew,
        status=verdict.status,
    )
    return verdict


class DeleteUserSecret(NamedSecret):
    """Names the secret to delete."""


@action(
    scope="secrets:write",
    writes=True,
    single_statement=True,
    destructive=True,
    allow=PEOPLE,
    raises=(NotFound,),
    examples=({},),
)
async def delete_user_secret(context: SecretContext, payload: DeleteUserSecret) -> None:
    """Deletes the user's API key for a provider. A second deletion is not found."""
    await secrets.delete_secret(context.db, context.user_id, payload.provider)
