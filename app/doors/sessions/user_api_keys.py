"""/api/user-api-keys: the API keys that people leave here for services that act for them."""

from datetime import datetime
from typing import Annotated

from fastapi import Body, Request
from pydantic import BaseModel

from app.commands.handlers import secrets as actions
from app.commands.perform import perform
from app.doors.sessions.tasks import answers, person_router
from app.errors import NotFound
from app.http.rate_limits import Limit, count, x_headers
from app.models.constant import AlwaysTrue
from app.models.error import BODY_ERRORS
from app.models.secret import Provider, SecretValue, ValidationStatus, Verdict
from app.state import Exchange

_TESTS = Limit("tests", "5/hour", x_headers)

router = person_router("/api/user-api-keys", "user API keys")


class NewApiKey(BaseModel):
    """A new API key."""

    api_key: SecretValue
    provider: Provider = "gemini"


class SavedApiKey(BaseModel):
    """Confirms that a key was stored."""

    success: AlwaysTrue = True
    message: str = "API key saved"
    masked_key: str


class CurrentApiKey(BaseModel):
    """The masked key and its last test; null where no key is stored, or none was tested."""

    configured: bool
    provider: Provider | None = None
    masked_key: str | None = None
    validation_status: ValidationStatus | None = None
    last_validated_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class RevealedApiKey(CurrentApiKey):
    """The key itself, for services."""

    plaintext_key: str | None = None


class ApiKeyToTest(BaseModel):
    """An API key to test before it is kept; without one the key that is kept is tested."""

    api_key: SecretValue | None = None
    provider: Provider = "gemini"


class CheckedApiKey(BaseModel):
    """The outcome of a test."""

    success: bool
    message: str
    validation_status: ValidationStatus


class RemovedApiKey(BaseModel):
    """Confirms that the key was deleted."""

    success: AlwaysTrue = True
    message: str = "API key removed"


@router.post("", status_code=201, summary="Keep an API key", responses=answers(201, *BODY_ERRORS))
async def save_key(request: Request, key: NewApiKey) -> SavedApiKey:
    """Encrypts and stores the key in place of an earlier one; the provider is not asked."""
    payload = actions.SetUserSecret(provider=key.provider, value=key.api_key)
    saved = await perform(request, actions.set_user_secret, payload)
    return SavedApiKey(masked_key=saved.masked_key)


@router.get("/current", summary="The API key", responses=answers(200))
async def read_key(request: Request) -> RevealedApiKey | CurrentApiKey:
    """The user's key, masked; services get the key itself too."""
    caller = Exchange.of(request.scope).caller
    shown = RevealedApiKey if caller.kind == "delegate" else CurrentApiKey
    try:
        secret = await perform(request, actions.get_user_secret, actions.GetUserSecret())
    except NotFound:
        return shown(configured=False)
    return shown.model_construct(configured=True, **vars(secret))


@router.post("/test", summary="Test an API key", responses=answers(200, 404, *BODY_ERRORS))
async def check_key(
    request: Request, key: Annotated[ApiKeyToTest, Body(default_factory=ApiKeyToTest)]
) -> CheckedApiKey:
    """Asks the provider whether it accepts the key, at most five times an hour.

    A key in the body is tested as it is: neither kept, nor does the one that is kept change.
    """
    exchange = Exchange.of(request.scope)
    await count(exchange, _TESTS, exchange.caller.user_id)
    payload = actions.TestUserSecret(provider=key.provider, value=key.api_key)
    verdict: Verdict = await perform(request, actions.test_user_secret, payload)
    return CheckedApiKey(
        success=verdict.status == "success",
        message=verdict.message,
        validation_status=verdict.status,
    )


@router.delete("/current", summary="Remove the API key", responses=answers(200, 404))
async def delete_key(request: Request) -> RemovedApiKey:
    """Deletes the user's key for good."""
    await perform(request, actions.delete_user_secret, actions.DeleteUserSecret())
    return RemovedApiKey()
