"""Keys that are settings: administrators' and the partner's."""

import hmac

from fastapi import Request
from fastapi.security import APIKeyHeader
from pydantic import SecretStr

from app.config import Settings
from app.errors import Forbidden, Unauthorized
from app.models.caller import Caller
from app.state import resources_of

ADMIN_KEY = APIKeyHeader(
    name="X-Admin-Key",
    scheme_name="AdminKey",
    description="The administrator's key, the setting `ADMIN_API_KEY`.",
    auto_error=False,
)
# Those that are granted by name only, too.
_ADMINISTRATORS_SCOPES = frozenset({"*", "users:export", "users:purge"})
PARTNER_KEY = APIKeyHeader(
    name="X-API-Key",
    scheme_name="PartnerKey",
    description="The partner's key, the setting `TASK_API_KEY`.",
    auto_error=False,
)


async def admin_key(request: Request) -> Caller:
    """The administrator whose key `X-Admin-Key` is, each compared in constant time."""
    settings = resources_of(request.scope)[Settings]
    given = request.headers.get("x-admin-key", "")
    keys = {"admin": settings.admin_api_key, **(settings.admin_api_keys or {})}
    names = [name for name, key in keys.items() if is_secret(key, given)]
    if not names:
        raise Unauthorized("Invalid admin key")
    return Caller("admin", names[0], _ADMINISTRATORS_SCOPES)


async def partner_key(request: Request) -> Caller:
    """The partner, by `X-API-Key`; a missing key is Unauthorized, a wrong one Forbidden."""
    settings = resources_of(request.scope)[Settings]
    given = request.headers.get("x-api-key", "")
    if not given:
        raise Unauthorized("Missing API key")
    if not is_secret(settings.task_api_key, given):
        raise Forbidden("Invalid API key")
    return Caller("partner", "partner")


def is_secret(secret: SecretStr | None, given: str) -> bool:
    """Whether it is the secret, in constant time; as bytes, for text would have to be ASCII."""
    if secret is None or not given:
        return False
    return hmac.compare_digest(given.encode("latin-1"), secret.get_secret_value().encode())
