"""What users may do with the API keys they keep here. Only they, and services in their name."""

from pydantic import BaseModel

from app.commands.action import Context, OutsideContext, action
from app.errors import NotFound
from app.models.caller import PEOPLE
from app.models.secret import (
    Provider,
    Providers,
    RevealedSecret,
    SecretCipher,
    SecretValue,
    UserSecret,
    Verdict,
    masked,
)
from app.services import secrets

_EXAMPLE = "example-key-of-20-characters-or-more"
_UNREADABLE = Verdict("failure", "The API key can no longer be read; store it again")


class NamedSecret(BaseModel):
    """Names one secret of the user."""

    provider: Provider = "gemini"


class SetUserSecret(NamedSecret):
    """The secret to keep."""

    value: SecretValue


@action(
    scope="secrets:write",
    writes=True,
    allow=PEOPLE,
    examples=({"value": _EXAMPLE},),
)
async def set_user_secret(context: Context, payload: SetUserSecret) -> UserSecret:
    """Encrypts and keeps the user's API key for a provider, in place of the one before.

    The provider is not asked.
    """
    encrypted = context.resources[SecretCipher].encrypt(payload.value.get_secret_value())
    return await secrets.upsert_secret(
        context.db, context.user_id, payload.provider, encrypted, masked(payload.value)
    )


class GetUserSecret(NamedSecret):
    """Names the secret to show."""


@action(scope="secrets:read", allow=PEOPLE, raises=(NotFound,), examples=({},))
async def get_user_secret(context: Context, payload: GetUserSecret) -> UserSecret | RevealedSecret:
    """Shows what is known of the user's API key; the key itself only to services."""
    stored = await secrets.fetch_secret(context.db, context.user_id, payload.provider)
    if context.caller.kind != "delegate":
        return stored.secret
    plaintext = context.resources[SecretCipher].decrypt(stored.encrypted_value)
    return RevealedSecret.model_construct(**vars(stored.secret), plaintext_key=plaintext)


class TestUserSecret(NamedSecret):
    """Names the secret to test, or is the one to test before it is kept."""

    value: SecretValue | None = None


@action(
    scope="secrets:write",
    writes=True,
    outside=True,
    allow=PEOPLE,
    raises=(NotFound,),
    examples=({},),
)
async def test_user_secret(context: OutsideContext, payload: TestUserSecret) -> Verdict:
    """Asks the provider whether it accepts the user's API key, and notes the outcome.

    Where a value is given that one is tested, and nothing is kept or noted.
    """
    if payload.value is not None:
        given = payload.value.get_secret_value()
        return await context.resources[Providers].check(payload.provider, given)
    return await _test_stored(context, payload)


async def _test_stored(context: OutsideContext, payload: TestUserSecret) -> Verdict:
    cipher = context.resources[SecretCipher]
    async with context.lend() as db:
        stored = await secrets.fetch_secret(db, context.user_id, payload.provider)
    verdict, encrypted_anew = _UNREADABLE, stored.encrypted_value
    value = cipher.decrypt(stored.encrypted_value)
    if value is not None:
        verdict = await context.resources[Providers].check(payload.provider, value)
        encrypted_anew = cipher.encrypt(value)
    async with context.lend() as db:
        await secrets.record_test(
            db,
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
    allow=PEOPLE,
    raises=(NotFound,),
    examples=({},),
)
async def delete_user_secret(context: Context, payload: DeleteUserSecret) -> None:
    """Deletes the user's API key for a provider. A second deletion is not found."""
    await secrets.delete_secret(context.db, context.user_id, payload.provider)
